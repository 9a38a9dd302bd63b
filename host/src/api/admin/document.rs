//! What the description of the private API says of all its operations alike.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, AllOf, Schema};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

const PROBLEM: &str = "application/problem+json";

/// The name of a status, and what is said of it.
type Common = (&'static str, &'static str);

/// Of every operation.
const EVERY: [Common; 4] = [
    (
        "400",
        "`invalid_path`, `invalid_query`, `invalid_if_match`, `invalid_idempotency_key`, \
         `invalid_json`: it cannot be read",
    ),
    (
        "401",
        "`unauthorized`: the request has no token, a wrong one, or two",
    ),
    (
        "429",
        "`locked_out`: too many wrong tokens; `Retry-After` tells for how long",
    ),
    ("503", "`unavailable`, `overloaded`, `timeout`: try again"),
];

/// Of those with a body of JSON.
const WITH_JSON: [Common; 2] = [
    ("413", "`body_rejected`: it is too large"),
    (
        "415",
        "`unsupported_media_type`: the body must be `application/json`",
    ),
];

/// Adds what is answered by what is around all handlers, where the operation does
/// not say something itself, and that a token may come in either of two headers.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            describe(operation);
        }
    }
    let components = document.components.get_or_insert_default();
    let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Admin-Token")));
    components.add_security_scheme("admin_token", header);
    let or = SecurityRequirement::new("admin_token", [""; 0]);
    document.security.get_or_insert_default().push(or);
    open_parts(components);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        patch,
        ..
    } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn describe(operation: &mut Operation) {
    let mut common = EVERY.to_vec();
    if let Some(RefOr::T(body)) = &operation.request_body
        && body.content.contains_key("application/json")
    {
        common.extend(WITH_JSON);
    }
    let details = Ref::from_schema_name("ProblemDetails");
    for (status, description) in common {
        let content = ContentBuilder::new().schema(Some(details.clone())).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content(PROBLEM, content)
            .build();
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert(RefOr::T(response));
    }
}

/// A part of a whole knows its own fields only: it must not forbid those of the
/// other parts.
fn open_parts(components: &mut utoipa::openapi::Components) {
    let wholes = components
        .schemas
        .values()
        .filter_map(|schema| match schema {
            RefOr::T(Schema::AllOf(AllOf { items, .. })) => Some(items),
            _ => None,
        });
    let parts: Vec<String> = wholes
        .flatten()
        .filter_map(|part| match part {
            RefOr::Ref(part) => part.ref_location.rsplit('/').next().map(str::to_owned),
            RefOr::T(_) => None,
        })
        .collect();
    for part in parts {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&part)
            && let Some(AdditionalProperties::FreeForm(false)) =
                object.additional_properties.as_deref()
        {
            object.additional_properties = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_answered_around_handlers_is_described_at_each() {
        let document: OpenApi = serde_json::from_value(json!({
            "openapi": "3.1.0", "info": { "title": "", "version": "" },
            "security": [{ "token": [] }],
            "paths": { "/a": {
                "get": { "responses": { "401": { "description": "its own" } } },
                "post": {
                    "parameters": [{ "name": "b", "in": "query", "required": false }],
                    "requestBody": { "content": { "application/json": {} } },
                    "responses": { "200": { "description": "good" } },
                },
            } },
            "components": { "schemas": {
                "Whole": { "allOf": [
                    { "$ref": "#/components/schemas/Part" },
                    { "type": "object", "properties": { "b": { "type": "string" } } },
                ] },
                "Part": { "type": "object", "additionalProperties": false },
                "Other": { "type": "object", "additionalProperties": false },
            } },
        }))
        .unwrap();
        let document = serde_json::to_value(complete(document)).unwrap();
        let statuses = |method: &str| -> Vec<String> {
            let responses = document["paths"]["/a"][method]["responses"].as_object();
            responses.unwrap().keys().cloned().collect()
        };
        assert_eq!(statuses("get"), ["400", "401", "429", "503"]);
        let all = ["200", "400", "401", "413", "415", "429", "503"];
        assert_eq!(statuses("post"), all);
        let own = &document["paths"]["/a"]["get"]["responses"]["401"]["description"];
        assert_eq!(own, "its own");
        let problem = &document["paths"]["/a"]["post"]["responses"]["415"]["content"][PROBLEM];
        assert_eq!(
            problem["schema"]["$ref"],
            "#/components/schemas/ProblemDetails"
        );
        assert_eq!(
            document["security"],
            json!([{ "token": [] }, { "admin_token": [] }])
        );
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Part"]["additionalProperties"], Value::Null);
        assert_eq!(schemas["Other"]["additionalProperties"], false);
    }
}
