//! What there is, for people.

pub(super) use super::super::admin::show::each;
use super::super::admin::show::{pairs, plain, short, text, time, visible};
use super::super::table::table;
use super::Asker;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only changes of this challenge, or of `gpu-server:` and an id.
    subject: Option<String>,
    /// Only changes before the one of this number.
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
    /// At most so many, 1 to 1000.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: u32,
}

impl Audit {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let limit = self.limit.to_string();
        let before = self.before.map(|before| before.to_string());
        let mut query = vec![("limit", limit.as_str())];
        query.extend(self.subject.as_deref().map(|subject| ("subject", subject)));
        query.extend(before.as_deref().map(|before| ("before", before)));
        let answer = asker.api.get(&["audit"], &query).await?;
        asker.print(&answer.body, |body| {
            let rows = each(body, "/changes").iter().map(|change| {
                vec![
                    text(change, "/id"),
                    time(change, "/at"),
                    text(change, "/actor"),
                    text(change, "/subject"),
                    text(change, "/action"),
                    changed(change),
                ]
            });
            let header = ["number", "at", "who", "what", "action", "changes"];
            let right = [true, false, false, false, false, false];
            table(&header, &right, &rows.collect::<Vec<_>>())
        })
    }
}

/// What an audited change changed, on one line.
fn changed(change: &Value) -> String {
    let Some(fields) = change.get("changes").and_then(Value::as_object) else {
        return String::new();
    };
    let fields = fields.iter().map(|(field, values)| {
        let (was, is) = (values.get(0), values.get(1));
        let (was, is) = (
            was.map_or_else(String::new, plain),
            is.map_or_else(String::new, plain),
        );
        let field = visible(field);
        match was.as_str() {
            "-" => format!("{field}={is}"),
            was => format!("{field}: {was} -> {is}"),
        }
    });
    let line = fields.collect::<Vec<_>>().join("; ");
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

impl Asker {
    pub(super) async fn list(&self) -> anyhow::Result<ExitCode> {
        let answer = self.api.get(&["challenges"], &[]).await?;
        self.print(&answer.body, |body| {
            let rows = each(body, "/challenges").iter().map(|record| {
                vec![
                    text(record, "/slug"),
                    text(record, "/status"),
                    text(record, "/runtime/state"),
                    time(record, "/runtime/since"),
                    text(record, "/version"),
                    text(record, "/emission_percent"),
                    text(record, "/capabilities"),
                    short(record, "/digest"),
                ]
            });
            let header = [
                "slug",
                "status",
                "state",
                "since",
                "version",
                "emission %",
                "capabilities",
                "digest",
            ];
            let right = [false, false, false, false, false, true, false, false];
            table(&header, &right, &rows.collect::<Vec<_>>())
        })
    }

    pub(super) async fn show(&self, slug: &str) -> anyhow::Result<ExitCode> {
        let answer = self.api.get(&["challenges", slug], &[]).await?;
        self.print(&answer.body, record)
    }

    pub(super) async fn status(&self, slug: &str) -> anyhow::Result<ExitCode> {
        let answer = self.api.get(&["challenges", slug, "status"], &[]).await?;
        self.print(&answer.body, operation)?;
        let state = text(&answer.body, "/runtime/state");
        Ok(if state == "running" {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    pub(super) async fn versions(&self, slug: &str) -> anyhow::Result<ExitCode> {
        let answer = self.api.get(&["challenges", slug, "versions"], &[]).await?;
        self.print(&answer.body, |body| {
            let rows = each(body, "/versions").iter().map(|version| {
                let current = version.get("current") == Some(&Value::Bool(true));
                vec![
                    text(version, "/version"),
                    time(version, "/added_at"),
                    if current { "yes" } else { "" }.into(),
                    text(version, "/digest"),
                    text(version, "/reference"),
                ]
            });
            let header = ["version", "since", "current", "digest", "from"];
            table(&header, &[false; 5], &rows.collect::<Vec<_>>())
        })
    }
}

/// What came of an operation.
pub(super) fn operation(body: &Value) -> String {
    let (slug, status) = (text(body, "/slug"), text(body, "/status"));
    format!("{slug}: {status}\n{}", running(body))
}

/// What runs of a challenge.
pub(super) fn running(body: &Value) -> String {
    let state = text(body, "/runtime/state");
    let mut told = match time(body, "/runtime/since").as_str() {
        "-" => state,
        since => format!("{state} since {since}"),
    };
    if body
        .pointer("/runtime/digest")
        .is_some_and(Value::is_string)
    {
        let version = text(body, "/runtime/version");
        let digest = short(body, "/runtime/digest");
        let revision = text(body, "/runtime/revision");
        told.push_str(&format!(
            ": version {version} ({digest}) of revision {revision}"
        ));
    }
    told.push('\n');
    if body
        .pointer("/runtime/reason")
        .is_some_and(Value::is_object)
    {
        let code = text(body, "/runtime/reason/code");
        told.push_str(&format!(
            "{code}: {}\n",
            text(body, "/runtime/reason/reason")
        ));
    }
    told
}

/// Fields that are told in words of their own.
const TOLD: [&str; 7] = [
    "runtime",
    "tokens",
    "secrets_set",
    "created_at",
    "updated_at",
    "configured",
    "secrets",
];

/// A record.
pub(super) fn record(record: &Value) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    let Some(fields) = record.as_object() else {
        return String::new();
    };
    for (field, value) in fields {
        let inner = value.as_object().filter(|map| !map.is_empty());
        match inner {
            _ if TOLD.contains(&field.as_str()) => {}
            Some(inner) => {
                for (name, value) in inner {
                    lines.push((visible(&format!("{field}.{name}")), plain(value)));
                }
            }
            None => lines.push((visible(field), plain(value))),
        }
    }
    for name in each(record, "/secrets") {
        let name = plain(name);
        let set = time(record, &format!("/secrets_set/{name}"));
        let told = match set.as_str() {
            "-" => "has no value".to_owned(),
            set => format!("set {set}"),
        };
        lines.push((format!("secret {name}"), told));
    }
    for token in each(record, "/tokens") {
        let ends = match time(token, "/expires_at").as_str() {
            "-" => String::new(),
            ends => format!(", ends {ends}"),
        };
        let made = time(token, "/created_at");
        let told = format!("{}, made {made}{ends}", text(token, "/hint"));
        lines.push((format!("token {}", text(token, "/id")), told));
    }
    if record.get("configured") == Some(&Value::Bool(true)) {
        let told = "the section of the configuration wins";
        lines.push(("configured".into(), told.into()));
    }
    for (name, pointer) in [("created", "/created_at"), ("updated", "/updated_at")] {
        lines.push((name.into(), time(record, pointer)));
    }
    lines.push((
        "runs".into(),
        running(record).trim_end().replace('\n', "; "),
    ));
    pairs(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_runs_is_told_with_why_it_does_not() {
        let running_ = json!({"slug": "a", "status": "active", "runtime": {"state": "running",
            "since": 0.0, "digest": "sha256:00112233445566", "version": "1.0.0", "revision": 3,
            "reason": null}});
        let expected = "a: active\nrunning since 1970-01-01T00:00:00Z: version 1.0.0 \
                        (001122334455) of revision 3\n";
        assert_eq!(operation(&running_), expected);
        let failed = json!({"slug": "a", "status": "active", "runtime": {"state": "failed",
            "since": 1.0, "digest": null, "reason": {"code": "missing_secret", "reason": "KEY"}}});
        let expected = "a: active\nfailed since 1970-01-01T00:00:01Z\nmissing_secret: KEY\n";
        assert_eq!(operation(&failed), expected);
        assert_eq!(
            running(&json!({"runtime": {"state": "stopped"}})),
            "stopped\n"
        );
    }

    #[test]
    fn a_record_is_told_without_what_is_told_elsewhere() {
        let shown = record(&json!({
            "slug": "a", "settings": {"tasks": 2}, "environment": {}, "secrets": ["KEY", "TWO"],
            "secrets_set": {"KEY": 0.0}, "configured": true, "created_at": 0.0, "updated_at": 0.0,
            "tokens": [{"id": 7, "hint": "abcd…wxyz", "created_at": 0.0, "expires_at": 1.0}],
            "runtime": {"state": "stopped"},
        }));
        let expected = "\
slug            a
settings.tasks  2
environment     -
secret KEY      set 1970-01-01T00:00:00Z
secret TWO      has no value
token 7         abcd…wxyz, made 1970-01-01T00:00:00Z, ends 1970-01-01T00:00:01Z
configured      the section of the configuration wins
created         1970-01-01T00:00:00Z
updated         1970-01-01T00:00:00Z
runs            stopped
";
        assert_eq!(shown, expected);
    }
}
