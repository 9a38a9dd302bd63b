#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::chain::metadata::known_runtime;
use subxt::dynamic::{self, Value};
use subxt_rpcs::{Error as RpcClientError, UserError};

fn user(code: i32, message: &str, data: Option<&str>) -> RpcClientError {
    RpcClientError::User(UserError {
        code,
        message: message.into(),
        data: data.map(|data| serde_json::value::to_raw_value(data).unwrap()),
    })
}

fn backend(error: RpcClientError) -> BackendError {
    error.into()
}

#[test]
fn what_the_runtime_lacks_is_named_with_its_version() {
    let at = known_runtime([0; 32]).unwrap();
    let spec = at.spec_version();
    for (pallet, name) in [("SubtensorModule", "Gone"), ("Gone", "Tempo")] {
        let what = format!("{pallet}.{name}");

        let item = dynamic::storage::<(u16,), u16>(pallet, name);
        let Err(error) = at.storage().entry(item) else {
            panic!("there is no storage {what}");
        };
        let error = ChainError::of(&what, spec, error);
        let message = format!("the runtime of the chain, spec version 365, has no storage {what}");
        assert_eq!(
            (error.code(), error.to_string()),
            ("no_such_storage", message)
        );
        assert!(error.is_missing());

        let call = dynamic::transaction(pallet, name, Vec::<Value>::new());
        let error = at.tx().call_data(&call).unwrap_err();
        let error = ChainError::of(&what, spec, error);
        let message = format!("the runtime of the chain, spec version 365, has no call {what}");
        assert_eq!((error.code(), error.to_string()), ("no_such_call", message));
        assert!(error.is_missing());
    }
    for (api, name) in [("SubnetInfoRuntimeApi", "gone"), ("Gone", "get_metagraph")] {
        let what = format!("{api}.{name}");
        let function = dynamic::runtime_api_call::<_, Value>(api, name, Vec::<Value>::new());
        let error = at.runtime_apis().encode_args(function).unwrap_err();
        let error = ChainError::of(&what, spec, error);
        let message = format!("the runtime of the chain, spec version 365, has no function {what}");
        assert_eq!((error.code(), error.to_string()), ("no_such_api", message));
        assert!(error.is_missing());
    }
}

#[test]
fn wrong_arguments_are_no_missing_call() {
    let at = known_runtime([0; 32]).unwrap();
    let call = dynamic::transaction("SubtensorModule", "set_weights", vec![Value::bool(true)]);
    let error = at.tx().call_data(&call).unwrap_err();
    let error = ChainError::of("SubtensorModule.set_weights", at.spec_version(), error);
    assert_eq!(error.code(), "encode");
    assert!(!error.is_missing());
    assert!(
        error.to_string().contains("SubtensorModule.set_weights"),
        "{error}"
    );
}

#[test]
fn a_function_that_only_the_executor_misses_is_missing_as_well() {
    let error = user(
        -32000,
        "Client error: Execution failed: Other(\"Exported method X_y is not found\")",
        None,
    );
    let error = RuntimeApiError::CannotCallApi(backend(error));
    assert_eq!(ChainError::of("X.y", 218, error).code(), "no_such_api");
    let error = user(
        4003,
        "Client error",
        Some("Exported method X_y is not found"),
    );
    let error = RuntimeApiError::CannotCallApi(backend(error));
    assert_eq!(ChainError::of("X.y", 218, error).code(), "no_such_api");
}

#[test]
fn an_answer_of_the_endpoint_keeps_its_code_and_data() {
    let error = StorageError::CannotFetchValue(backend(user(1, "no", Some("why"))));
    let expected = ChainError::Rpc {
        code: 1,
        message: "no".into(),
        data: Some("\"why\"".into()),
    };
    assert_eq!(ChainError::of("A.b", 1, error), expected);
    assert!(!expected.is_connection());
}

#[test]
fn state_that_was_discarded_is_told_from_other_errors() {
    let message = "Client error: UnknownBlock: State already discarded for 0x01";
    let error = StorageError::CannotFetchValue(backend(user(4003, message, None)));
    assert_eq!(ChainError::of("A.b", 1, error).code(), "state_discarded");
}

#[test]
fn the_endpoints_own_error_is_found_wherever_subxt_puts_it() {
    let own = ChainError::Timeout {
        endpoint: "wss://a.example".into(),
        what: "state_call".into(),
        seconds: 30.0,
    };
    let client = || RpcClientError::Client(Box::new(own.clone()));
    let as_subxt: [subxt::Error; 6] = [
        StorageError::StreamFailure(backend(client())).into(),
        RuntimeApiError::CannotCallApi(backend(client())).into(),
        EventsError::CannotFetchEventBytes(backend(client())).into(),
        ExtrinsicError::CannotGetBlockBody(backend(client())).into(),
        OnlineClientError::CannotGetGenesisHash(backend(client())).into(),
        client().into(),
    ];
    for error in as_subxt {
        let error = ChainError::of("A.b", 1, error);
        assert_eq!(error, own);
        assert!(error.is_connection());
    }
}
