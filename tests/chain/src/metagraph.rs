//! `SubnetInfoRuntimeApi.get_selective_metagraph` and `get_metagraph`, and their like of
//! one mechanism.

use subxt::Metadata;
use subxt::ext::scale_type_resolver::visitor;
use subxt::ext::scale_type_resolver::{Primitive, TypeResolver};

use crate::state::{State, Subnet};
use crate::value::{Value, axon, bytes, encode, list, none, number, some};

/// The answer, encoded: the fields of these places, or all of them.
pub(crate) fn metagraph(
    state: &State,
    netuid: u16,
    mechanism: u8,
    asked: Option<&[u16]>,
    type_id: u32,
) -> Vec<u8> {
    let metadata = state.runtime.metadata();
    let Some(subnet) = state.subnets.get(&netuid) else {
        return encode(metadata, &none(), type_id);
    };
    let known = Known {
        state,
        netuid,
        subnet,
        mechanism,
    };
    let fields = (0_u16..).zip(fields_of_option(metadata, type_id));
    let fields: Vec<(String, Value)> = fields
        .map(|(place, (name, of))| {
            let value = known.value(&name);
            let value = match asked {
                // In the selective one every field but the first is optional.
                Some(asked) if place == 0 || asked.contains(&place) => match value {
                    Some(value) if place == 0 => value,
                    Some(value) => some(value),
                    None => some(zero(metadata, inside(metadata, of))),
                },
                Some(_) => none(),
                None => value.unwrap_or_else(|| zero(metadata, of)),
            };
            (name, value)
        })
        .collect();
    encode(metadata, &some(Value::named_composite(fields)), type_id)
}

struct Known<'a> {
    state: &'a State,
    netuid: u16,
    subnet: &'a Subnet,
    mechanism: u8,
}

impl Known<'_> {
    /// A field by its name; `None` is one that is 0, empty or nothing.
    fn value(&self, field: &str) -> Option<Value> {
        let Self {
            state,
            subnet,
            netuid,
            mechanism,
        } = *self;
        let neurons = || subnet.neurons.iter();
        Some(match field {
            "netuid" => number(netuid),
            "owner_hotkey" => bytes(subnet.owner_hotkey),
            "owner_coldkey" => bytes(subnet.owner_coldkey),
            "block" => number(state.block),
            "tempo" => number(subnet.tempo),
            "last_step" => number(subnet.last_epoch_block),
            "blocks_since_last_step" => number(subnet.blocks_since_last_step),
            "min_allowed_weights" => number(subnet.min_allowed_weights),
            "max_weights_limit" => number(subnet.max_weight_limit),
            "weights_version" => number(subnet.weights_version),
            "weights_rate_limit" => number(subnet.weights_rate_limit),
            "num_uids" => number(subnet.len()),
            "max_uids" => number(subnet.max_uids),
            "commit_reveal_weights_enabled" => Value::bool(subnet.commit_reveal),
            "commit_reveal_period" => number(subnet.reveal_period),
            "hotkeys" => list(neurons().map(|one| bytes(one.hotkey))),
            "coldkeys" => list(neurons().map(|one| bytes(one.coldkey))),
            "axons" => list(neurons().map(|one| axon(one.axon))),
            "identities" => list(neurons().map(|_| none())),
            "active" => list(neurons().map(|_| Value::bool(true))),
            "validator_permit" => {
                let uids = 0..subnet.len();
                list(uids.map(|uid| Value::bool(subnet.has_permit(uid))))
            }
            "last_update" => {
                let uids = 0..subnet.len();
                list(uids.map(|uid| number(subnet.last_update(mechanism, uid))))
            }
            "pruning_score" | "emission" | "dividends" | "incentives" | "consensus" | "trust"
            | "rank" => list(neurons().map(|_| number(0_u8))),
            "block_at_registration" => list(neurons().map(|one| number(one.registered_at))),
            "alpha_stake" => list(neurons().map(|one| number(one.alpha_stake))),
            "tao_stake" => list(neurons().map(|one| number(one.tao_stake))),
            "total_stake" => list(neurons().map(|one| number(state.total_stake(one)))),
            _ => return None,
        })
    }
}

/// Names and types of the fields of a struct in an `Option`.
fn fields_of_option(metadata: &Metadata, option: u32) -> Vec<(String, u32)> {
    let visitor = visitor::new((), |(), _| Vec::new()).visit_composite(|(), _, fields| {
        fields
            .filter_map(|field| Some((field.name?.to_owned(), field.id)))
            .collect()
    });
    metadata
        .types()
        .resolve_type(inside(metadata, option), visitor)
        .expect("the type of the metagraph")
}

/// The type in an `Option`.
fn inside(metadata: &Metadata, option: u32) -> u32 {
    let visitor = visitor::new((), |(), _| None).visit_variant(|(), _, variants| {
        variants
            .filter(|variant| variant.name == "Some")
            .find_map(|variant| variant.fields.map(|field| field.id).next())
    });
    metadata
        .types()
        .resolve_type(option, visitor)
        .expect("a type of the metadata")
        .expect("an Option")
}

/// What is 0, empty, false or nothing, of a type.
fn zero(metadata: &Metadata, type_id: u32) -> Value {
    let visitor = visitor::new((), |(), _| number(0_u8))
        .visit_sequence(|(), _, _| list([]))
        .visit_variant(|(), _, _| none())
        .visit_primitive(|(), primitive| match primitive {
            Primitive::Bool => Value::bool(false),
            Primitive::Str => Value::string(""),
            _ => number(0_u8),
        })
        .visit_array(|(), of, length| list(vec![zero(metadata, of); length]))
        .visit_tuple(|(), fields| list(fields.map(|of| zero(metadata, of))))
        .visit_composite(|(), _, fields| list(fields.map(|field| zero(metadata, field.id))));
    metadata
        .types()
        .resolve_type(type_id, visitor)
        .expect("a type of the metadata")
}
