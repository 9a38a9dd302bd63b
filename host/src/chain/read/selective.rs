//! The metagraph by the runtime's own function.

use super::no_subnet;
use super::subnet::{Beside, beside};
use crate::chain::client::AtBlock;
use crate::chain::error::ChainError;
use crate::chain::{Hyperparameters, Metagraph, Neuron, ss58};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use subxt::dynamic;
use subxt::ext::scale_decode;
use subxt::ext::scale_decode::DecodeAsType;

const API: &str = "SubnetInfoRuntimeApi";
const FUNCTION: &str = "get_selective_metagraph";
const NAME: &str = "SubnetInfoRuntimeApi.get_selective_metagraph";

/// Rao in a whole token.
const RAO: f64 = 1e9;

/// What [`Limits`] needs, by the numbers of `SelectiveMetagraphIndex`.
const LIMITS: [u16; 7] = [8, 24, 25, 26, 27, 46, 47];
/// What [`Selective`] needs beside it.
const NEURONS: [u16; 10] = [5, 52, 53, 55, 57, 59, 66, 67, 68, 69];

/// Of the runtime's `SelectiveMetagraph` what is asked for; the names are the runtime's.
#[derive(Debug, DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
struct Selective {
    owner_hotkey: Option<[u8; 32]>,
    hotkeys: Option<Vec<[u8; 32]>>,
    coldkeys: Option<Vec<[u8; 32]>>,
    axons: Option<Vec<Axon>>,
    validator_permit: Option<Vec<bool>>,
    last_update: Option<Vec<u64>>,
    block_at_registration: Option<Vec<u64>>,
    alpha_stake: Option<Vec<u64>>,
    tao_stake: Option<Vec<u64>>,
    total_stake: Option<Vec<u64>>,
    tempo: Option<u16>,
    min_allowed_weights: Option<u16>,
    max_weights_limit: Option<u16>,
    weights_version: Option<u64>,
    weights_rate_limit: Option<u64>,
    commit_reveal_weights_enabled: Option<bool>,
    commit_reveal_period: Option<u64>,
}

/// `AxonInfo`: where a neuron serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(super) struct Axon {
    pub(super) port: u16,
    pub(super) ip: u128,
    pub(super) ip_type: u8,
}

impl Axon {
    /// The address; none of a neuron that serves nothing, and of types that are none.
    pub(super) fn address(self) -> Option<IpAddr> {
        match (self.ip, self.ip_type) {
            (0, _) => None,
            (ip, 4) => Some(Ipv4Addr::from(u32::try_from(ip).ok()?).into()),
            (ip, 6) => Some(Ipv6Addr::from(ip).into()),
            _ => None,
        }
    }

    /// The port; none of a neuron that serves nothing.
    pub(super) fn port(self) -> Option<u16> {
        (self.port != 0 && self.address().is_some()).then_some(self.port)
    }
}

/// The metagraph, of one call of the runtime's function.
///
/// # Errors
///
/// [`ChainError::NoSuchApi`] of runtimes without it; [`ChainError::Decode`].
pub(super) async fn metagraph(at: &AtBlock, netuid: u16) -> Result<Metagraph, ChainError> {
    let asked = [LIMITS.as_slice(), NEURONS.as_slice()].concat();
    let (selective, beside) = tokio::try_join!(call(at, netuid, asked), beside(at, netuid))?;
    let hyperparameters = selective.limits(beside)?;
    let (owner, neurons) = selective.neurons()?;
    new_metagraph(at, netuid, owner, neurons).map(|m| m.with_hyperparameters(hyperparameters))
}

/// What the subnet asks for, of one call of the runtime's function.
///
/// # Errors
///
/// Those of [`metagraph`].
pub(super) async fn hyperparameters(
    at: &AtBlock,
    netuid: u16,
) -> Result<Hyperparameters, ChainError> {
    let (selective, beside) =
        tokio::try_join!(call(at, netuid, LIMITS.to_vec()), beside(at, netuid))?;
    selective.limits(beside)
}

/// A metagraph of neurons that the chain told, without hyperparameters.
pub(super) fn new_metagraph(
    at: &AtBlock,
    netuid: u16,
    owner: [u8; 32],
    neurons: Vec<Neuron>,
) -> Result<Metagraph, ChainError> {
    // The default of a subnet without an owner's hotkey.
    let owner = (owner != [0; 32]).then(|| ss58::encode(&owner));
    Metagraph::new(netuid, at.block_number(), owner, neurons)
        .map_err(|e| ChainError::decode(format!("the metagraph of subnet {netuid}"), e))
}

async fn call(at: &AtBlock, netuid: u16, asked: Vec<u16>) -> Result<Selective, ChainError> {
    let payload = dynamic::runtime_api_call::<_, Option<Selective>>(API, FUNCTION, (netuid, asked));
    let told = at.runtime_apis().call(payload).await;
    let told = told.map_err(|e| ChainError::of(NAME, at.spec_version(), e))?;
    told.ok_or_else(|| no_subnet(netuid))
}

impl Selective {
    fn limits(&self, beside: Beside) -> Result<Hyperparameters, ChainError> {
        Ok(Hyperparameters {
            tempo: told("tempo", self.tempo)?,
            weights_rate_limit: told("weights_rate_limit", self.weights_rate_limit)?,
            weights_version: told("weights_version", self.weights_version)?,
            min_allowed_weights: told("min_allowed_weights", self.min_allowed_weights)?,
            max_weight_limit: told("max_weights_limit", self.max_weights_limit)?,
            commit_reveal_enabled: told(
                "commit_reveal_weights_enabled",
                self.commit_reveal_weights_enabled,
            )?,
            commit_reveal_period: told("commit_reveal_period", self.commit_reveal_period)?,
            commit_reveal_version: beside.commit_reveal_version,
            mechanism_count: beside.mechanism_count,
            stake_threshold: beside.stake_threshold,
        })
    }

    /// The owner's hotkey, and the neurons.
    fn neurons(self) -> Result<([u8; 32], Vec<Neuron>), ChainError> {
        let owner = told("owner_hotkey", self.owner_hotkey)?;
        let hotkeys = told("hotkeys", self.hotkeys)?;
        let count = hotkeys.len();
        let whole = |name: &str, len: usize| match len {
            len if len == count => Ok(()),
            len => Err(ChainError::decode(
                NAME,
                format!("{name} are {len}, and hotkeys {count}"),
            )),
        };
        let coldkeys = told("coldkeys", self.coldkeys)?;
        let axons = told("axons", self.axons)?;
        let registered = told("block_at_registration", self.block_at_registration)?;
        let alpha = told("alpha_stake", self.alpha_stake)?;
        let tao = told("tao_stake", self.tao_stake)?;
        let total = told("total_stake", self.total_stake)?;
        whole("coldkeys", coldkeys.len())?;
        whole("axons", axons.len())?;
        whole("block_at_registration", registered.len())?;
        whole("alpha_stake", alpha.len())?;
        whole("tao_stake", tao.len())?;
        whole("total_stake", total.len())?;
        let permits = told("validator_permit", self.validator_permit)?;
        let updates = told("last_update", self.last_update)?;
        let stakes = total.into_iter().zip(alpha).zip(tao);
        let keys = hotkeys.into_iter().zip(coldkeys).zip(axons);
        let rows = keys.zip(stakes).zip(registered).enumerate();
        let neurons = rows.map(
            |(n, ((((hotkey, coldkey), axon), ((total, alpha), tao)), registered))| {
                Ok(Neuron {
                    uid: u16::try_from(n).map_err(|e| ChainError::decode(NAME, e))?,
                    hotkey: ss58::encode(&hotkey),
                    coldkey: ss58::encode(&coldkey),
                    axon_ip: axon.address(),
                    axon_port: axon.port(),
                    stake: tokens(total),
                    // These two may be shorter than the list of hotkeys.
                    validator_permit: permits.get(n).copied().unwrap_or_default(),
                    last_update: Some(updates.get(n).copied().unwrap_or_default()),
                    registered_at: Some(registered),
                    alpha_stake: Some(tokens(alpha)),
                    tao_stake: Some(tokens(tao)),
                })
            },
        );
        Ok((owner, neurons.collect::<Result<_, ChainError>>()?))
    }
}

/// Rao as whole tokens.
pub(super) fn tokens(rao: u64) -> f64 {
    rao as f64 / RAO
}

fn told<T>(name: &str, value: Option<T>) -> Result<T, ChainError> {
    value.ok_or_else(|| ChainError::decode(NAME, format!("{name} is asked for and not told")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::chain::metadata::known_runtime;
    use subxt::dynamic::Value;
    use subxt::ext::scale_encode::EncodeAsType;

    const BESIDE: Beside = Beside {
        commit_reveal_version: Some(4),
        mechanism_count: 2,
        stake_threshold: 9,
    };

    /// All fields of the runtime's struct, in order; the place of each is its number.
    const FIELDS: &str = "netuid name symbol identity network_registered_at owner_hotkey \
        owner_coldkey block tempo last_step blocks_since_last_step subnet_emission alpha_in \
        alpha_out tao_in alpha_out_emission alpha_in_emission tao_in_emission \
        pending_alpha_emission pending_root_emission subnet_volume moving_price rho kappa \
        min_allowed_weights max_weights_limit weights_version weights_rate_limit \
        activity_cutoff max_validators num_uids max_uids burn difficulty registration_allowed \
        pow_registration_allowed immunity_period min_difficulty max_difficulty min_burn max_burn \
        adjustment_alpha adjustment_interval target_regs_per_interval max_regs_per_block \
        serving_rate_limit commit_reveal_weights_enabled commit_reveal_period \
        liquid_alpha_enabled alpha_high alpha_low bonds_moving_avg hotkeys coldkeys identities \
        axons active validator_permit pruning_score last_update emission dividends incentives \
        consensus trust rank block_at_registration alpha_stake tao_stake total_stake \
        tao_dividends_per_hotkey alpha_dividends_per_hotkey validators commitments";

    fn some(value: Value) -> Value {
        Value::unnamed_variant("Some", [value])
    }

    fn list(values: impl IntoIterator<Item = Value>) -> Value {
        some(Value::unnamed_composite(values))
    }

    fn numbers(values: &[u64]) -> Value {
        list(values.iter().map(|n| Value::u128((*n).into())))
    }

    fn key(byte: u8) -> Value {
        Value::from_bytes([byte; 32])
    }

    fn axon(ip: u128, ip_type: u8) -> Value {
        let fields = ["block", "version", "protocol", "placeholder1"];
        let fields = fields.map(|name| (name, Value::u128(1)));
        let own = [
            ("port", Value::u128(8_091)),
            ("placeholder2", Value::u128(0)),
            ("ip", Value::u128(ip)),
            ("ip_type", Value::u128(ip_type.into())),
        ];
        Value::named_composite(fields.into_iter().chain(own))
    }

    /// What the runtime of spec 365 answers, with `told` for what it was asked for, and
    /// decoded again.
    fn answer(told: &[(&str, Value)]) -> Result<Option<Selective>, scale_decode::Error> {
        let runtime = known_runtime([0; 32]).unwrap();
        let metadata = runtime.metadata_ref();
        let api = metadata.runtime_api_trait_by_name(API).unwrap();
        let of = api.method_by_name(FUNCTION).unwrap().output_ty();
        let fields = FIELDS.split_whitespace().map(|field| {
            let told = told.iter().find(|(name, _)| *name == field);
            let value = match (field, told) {
                ("netuid", _) => Value::u128(61),
                (_, Some((_, value))) => value.clone(),
                _ => Value::unnamed_variant("None", []),
            };
            (field, value)
        });
        let value = some(Value::named_composite(fields));
        let bytes = value.encode_as_type(of, metadata.types()).unwrap();
        Option::<Selective>::decode_as_type(&mut &*bytes, of, metadata.types())
    }

    fn neurons() -> Vec<(&'static str, Value)> {
        vec![
            ("owner_hotkey", some(key(9))),
            ("hotkeys", list([1, 2, 3].map(key))),
            ("coldkeys", list([4, 5, 4].map(key))),
            (
                "axons",
                list([axon(0, 4), axon(0xc000_0201, 4), axon(1, 6)]),
            ),
            ("validator_permit", list([Value::bool(true)])),
            ("last_update", numbers(&[7, 8])),
            ("block_at_registration", numbers(&[10, 11, 12])),
            ("alpha_stake", numbers(&[1_500_000_000, 0, u64::MAX])),
            ("tao_stake", numbers(&[2_000_000_000, 0, 0])),
            ("total_stake", numbers(&[1_860_000_000, 0, u64::MAX])),
        ]
    }

    #[test]
    fn what_is_asked_for_by_number_is_what_is_read_by_name() {
        let fields: Vec<&str> = FIELDS.split_whitespace().collect();
        let asked = |numbers: &[u16]| -> Vec<&str> {
            numbers.iter().map(|n| fields[usize::from(*n)]).collect()
        };
        assert_eq!(
            asked(&NEURONS),
            neurons().iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
        assert_eq!(
            asked(&LIMITS),
            [
                "tempo",
                "min_allowed_weights",
                "max_weights_limit",
                "weights_version",
                "weights_rate_limit",
                "commit_reveal_weights_enabled",
                "commit_reveal_period"
            ]
        );
    }

    #[test]
    fn neurons_are_read_and_short_lists_are_filled_up() {
        let selective = answer(&neurons()).unwrap().unwrap();
        let (owner, neurons) = selective.neurons().unwrap();
        assert_eq!(owner, [9; 32]);
        let first = Neuron {
            uid: 0,
            hotkey: ss58::encode(&[1; 32]),
            coldkey: ss58::encode(&[4; 32]),
            axon_ip: None,
            axon_port: None,
            stake: 1.86,
            validator_permit: true,
            last_update: Some(7),
            registered_at: Some(10),
            alpha_stake: Some(1.5),
            tao_stake: Some(2.0),
        };
        assert_eq!(neurons[0], first);
        let second = &neurons[1];
        assert_eq!(second.axon_ip, Some([192, 0, 2, 1].into()));
        assert_eq!(second.axon_port, Some(8_091));
        assert_eq!(
            (second.validator_permit, second.last_update),
            (false, Some(8))
        );
        let third = &neurons[2];
        assert_eq!(third.axon_ip, Some("::1".parse().unwrap()));
        assert_eq!(
            (third.validator_permit, third.last_update),
            (false, Some(0))
        );
        assert_eq!(third.stake, u64::MAX as f64 / 1e9);
    }

    #[test]
    fn hyperparameters_are_read() {
        let told = [
            ("tempo", some(Value::u128(360))),
            ("min_allowed_weights", some(Value::u128(8))),
            ("max_weights_limit", some(Value::u128(65_535))),
            ("weights_version", some(Value::u128(u64::MAX.into()))),
            ("weights_rate_limit", some(Value::u128(100))),
            ("commit_reveal_weights_enabled", some(Value::bool(true))),
            ("commit_reveal_period", some(Value::u128(3))),
        ];
        let selective = answer(&told).unwrap().unwrap();
        let expected = Hyperparameters {
            tempo: 360,
            weights_rate_limit: 100,
            weights_version: u64::MAX,
            min_allowed_weights: 8,
            max_weight_limit: 65_535,
            commit_reveal_enabled: true,
            commit_reveal_period: 3,
            commit_reveal_version: Some(4),
            mechanism_count: 2,
            stake_threshold: 9,
        };
        assert_eq!(selective.limits(BESIDE).unwrap(), expected);
        // Nothing of the neurons was asked for.
        assert!(selective.neurons().is_err());
    }

    #[test]
    fn what_is_not_told_is_named() {
        for (without, _) in neurons() {
            let rest: Vec<_> = neurons()
                .into_iter()
                .filter(|(name, _)| *name != without)
                .collect();
            let error = answer(&rest).unwrap().unwrap().neurons().unwrap_err();
            assert!(is_told_as(&error, without), "{error}");
        }
        let error = answer(&[]).unwrap().unwrap().limits(BESIDE).unwrap_err();
        assert!(is_told_as(&error, "tempo"), "{error}");
    }

    fn is_told_as(error: &ChainError, name: &str) -> bool {
        error.code() == "decode"
            && error
                .to_string()
                .contains(&format!("{name} is asked for and not told"))
    }

    #[test]
    fn lists_that_must_be_whole_are_refused_if_they_are_short() {
        for name in ["coldkeys", "axons", "block_at_registration", "total_stake"] {
            let short: Vec<_> = neurons()
                .into_iter()
                .map(|(field, value)| match field == name {
                    true => (field, list([])),
                    false => (field, value),
                })
                .collect();
            let error = answer(&short).unwrap().unwrap().neurons().unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(&format!("{name} are 0, and hotkeys 3")),
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_are_of_either_kind_or_none() {
        let port = 8_091;
        let address = |ip, ip_type| Axon { port, ip, ip_type }.address();
        assert_eq!(address(0x7f00_0001, 4), Some([127, 0, 0, 1].into()));
        assert_eq!(address(1 << 32, 4), None);
        assert_eq!(address(1, 0), None);
        assert_eq!(address(0, 6), None);
    }

    #[test]
    fn a_port_is_told_of_neurons_that_serve() {
        let port = |port, ip| {
            let axon = Axon {
                port,
                ip,
                ip_type: 4,
            };
            axon.port()
        };
        assert_eq!(port(8_091, 0x7f00_0001), Some(8_091));
        assert_eq!(port(0, 0x7f00_0001), None);
        assert_eq!(port(8_091, 0), None);
    }
}
