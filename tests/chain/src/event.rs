//! Events, and how they are encoded.

use subxt::Metadata;

use crate::runtime::Runtime;
use crate::value::{Value, encode, key, list, number};

/// Why a call failed in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An error of the pallet `SubtensorModule`, by its name.
    Module(&'static str),
    /// `BadOrigin`.
    BadOrigin,
}

/// What happened in a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The extrinsic that it happened in; `None` is the start of the block.
    pub extrinsic: Option<u32>,
    /// The pallet.
    pub pallet: &'static str,
    /// The name of the event.
    pub name: &'static str,
    pub(crate) fields: Vec<Value>,
}

impl Event {
    pub(crate) fn success(extrinsic: u32) -> Self {
        Self {
            extrinsic: Some(extrinsic),
            pallet: "System",
            name: "ExtrinsicSuccess",
            fields: vec![dispatch_info()],
        }
    }

    pub(crate) fn failed(extrinsic: u32, failure: Failure, runtime: &Runtime) -> Self {
        Self {
            extrinsic: Some(extrinsic),
            pallet: "System",
            name: "ExtrinsicFailed",
            fields: vec![dispatch_error(failure, runtime.metadata()), dispatch_info()],
        }
    }
}

/// `DispatchError` of a failure.
pub(crate) fn dispatch_error(failure: Failure, metadata: &Metadata) -> Value {
    match failure {
        Failure::BadOrigin => Value::unnamed_variant("BadOrigin", []),
        Failure::Module(name) => {
            let pallet = metadata
                .pallet_by_name("SubtensorModule")
                .expect("the pallet");
            let index = pallet
                .error_variants()
                .and_then(|errors| errors.iter().find(|error| error.name == name))
                .map(|error| error.index)
                .unwrap_or_else(|| panic!("the runtime has no error {name}"));
            let error = Value::named_composite([
                ("index", number(pallet.error_index())),
                ("error", list([index, 0, 0, 0].map(number))),
            ]);
            Value::unnamed_variant("Module", [error])
        }
    }
}

/// `DispatchEventInfo` of a call that nobody pays for.
fn dispatch_info() -> Value {
    Value::named_composite([
        ("weight", weight()),
        ("class", Value::unnamed_variant("Normal", [])),
        ("pays_fee", Value::unnamed_variant("No", [])),
    ])
}

pub(crate) fn weight() -> Value {
    Value::named_composite([
        ("ref_time", number(22_060_000_000_u64)),
        ("proof_size", number(4_096_u64)),
    ])
}

/// The value of `System.Events`.
pub(crate) fn encode_events(metadata: &Metadata, events: &[Event]) -> Vec<u8> {
    let (_, type_id) = key(metadata, "System", "Events", &[]).expect("System.Events");
    let records = events.iter().map(|event| {
        let phase = match event.extrinsic {
            Some(index) => Value::unnamed_variant("ApplyExtrinsic", [number(index)]),
            None => Value::unnamed_variant("Initialization", []),
        };
        let fields = named(metadata, event);
        let event = Value::unnamed_variant(event.pallet, [fields]);
        Value::named_composite([("phase", phase), ("event", event), ("topics", list([]))])
    });
    encode(metadata, &list(records), type_id)
}

/// The event as the metadata has it: in some versions an event has fewer fields, which
/// are the last ones.
fn named(metadata: &Metadata, event: &Event) -> Value {
    let asked = metadata
        .pallet_by_name(event.pallet)
        .and_then(|pallet| pallet.event_variants())
        .and_then(|events| events.iter().find(|one| one.name == event.name))
        .unwrap_or_else(|| panic!("the runtime has no event {}", event.name))
        .fields
        .len();
    let surplus = event.fields.len() - asked;
    Value::unnamed_variant(event.name, event.fields[surplus..].to_vec())
}
