//! The registered neurons of the subnet at one block.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};

use super::Hyperparameters;
use super::invalid::{InvalidMetagraph, MetagraphError};

/// The neurons of one subnet at one block.
///
/// Every uid and every hotkey occurs once, and every stake is finite and not
/// negative. Read and written as
///
/// ```json
/// {"netuid": 61, "block": 4000000, "owner_hotkey": null, "neurons": [
///   {"uid": 0, "hotkey": "5F…", "coldkey": "5G…", "axon_ip": "192.0.2.1",
///    "axon_port": 8091, "stake": 10000.0, "validator_permit": true}]}
/// ```
///
/// with the neurons in any order, and written in ascending order of uid. What only a
/// chain tells may be left out: `hyperparameters` beside `neurons`, and of each neuron
/// `axon_port`, `last_update`, `registered_at`, `alpha_stake` and `tao_stake`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Metagraph {
    netuid: u16,
    block: u64,
    owner_hotkey: Option<String>,
    hyperparameters: Option<Hyperparameters>,
    neurons: BTreeMap<u16, Neuron>,
    uids: BTreeMap<String, u16>,
}

/// One registered neuron. The default is uid 0 without a hotkey, which no metagraph
/// takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// Its uid in the subnet.
    pub uid: u16,
    /// Its hotkey, in SS58.
    pub hotkey: String,
    /// The coldkey that owns the hotkey, in SS58.
    pub coldkey: String,
    /// The address it serves at; `None` or `0.0.0.0` if it serves nothing.
    pub axon_ip: Option<IpAddr>,
    /// The TCP port it serves at, never 0. `None` if it serves nothing, or the file
    /// does not tell; then nobody can ask it anything.
    #[serde(
        default,
        deserialize_with = "port",
        skip_serializing_if = "Option::is_none"
    )]
    pub axon_port: Option<u16>,
    /// Its total stake in whole tokens, as the metagraph's `S`.
    pub stake: f64,
    /// Whether it may set weights on others.
    pub validator_permit: bool,
    /// The block at which it last set weights for mechanism 0, or registered; 0 is
    /// never. `None` if the file does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update: Option<u64>,
    /// The block at which it was registered. `None` if the file does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<u64>,
    /// Its stake in the subnet's own token, in whole tokens. `None` if the file does
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha_stake: Option<f64>,
    /// Its stake on the root network, in whole TAO; `stake` counts it with the chain's
    /// `TaoWeight`. `None` if the file does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tao_stake: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    netuid: u16,
    block: u64,
    owner_hotkey: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hyperparameters: Option<Hyperparameters>,
    neurons: Vec<Neuron>,
}

/// A port as a file tells it; 0 is the chain's for none.
fn port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    let told = Option::<u16>::deserialize(from)?;
    Ok(told.filter(|port| *port != 0))
}

impl Metagraph {
    /// A metagraph of these neurons, given in any order.
    ///
    /// # Errors
    ///
    /// [`InvalidMetagraph`] for a duplicate uid or hotkey, an empty hotkey, or a
    /// stake that is negative or not finite.
    pub fn new(
        netuid: u16,
        block: u64,
        owner_hotkey: Option<String>,
        neurons: Vec<Neuron>,
    ) -> Result<Self, InvalidMetagraph> {
        let mut by_uid = BTreeMap::new();
        for neuron in neurons {
            let uid = neuron.uid;
            if by_uid.insert(uid, neuron).is_some() {
                return Err(InvalidMetagraph::DuplicateUid(uid));
            }
        }
        let mut uids = BTreeMap::new();
        for (&uid, neuron) in &by_uid {
            let hotkey = neuron.hotkey.clone();
            if hotkey.is_empty() {
                return Err(InvalidMetagraph::EmptyHotkey(uid));
            }
            let stakes = [Some(neuron.stake), neuron.alpha_stake, neuron.tao_stake];
            for stake in stakes.into_iter().flatten() {
                if !stake.is_finite() || stake < 0.0 {
                    return Err(InvalidMetagraph::InvalidStake { uid, stake });
                }
            }
            if let Some(first) = uids.insert(hotkey.clone(), uid) {
                return Err(InvalidMetagraph::DuplicateHotkey {
                    hotkey,
                    first,
                    second: uid,
                });
            }
        }
        Ok(Self {
            netuid,
            block,
            owner_hotkey,
            hyperparameters: None,
            neurons: by_uid,
            uids,
        })
    }

    /// The same with what the subnet asks for.
    #[must_use]
    pub fn with_hyperparameters(self, hyperparameters: Hyperparameters) -> Self {
        Self {
            hyperparameters: Some(hyperparameters),
            ..self
        }
    }

    /// Reads a metagraph from a JSON file.
    ///
    /// # Errors
    ///
    /// [`MetagraphError`], naming the file; its source says what is wrong.
    pub fn load(path: &Path) -> Result<Self, MetagraphError> {
        let at = || path.to_owned();
        let bytes =
            std::fs::read(path).map_err(|source| MetagraphError::Read { path: at(), source })?;
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|source| MetagraphError::Parse { path: at(), source })?;
        document
            .try_into()
            .map_err(|source| MetagraphError::Invalid { path: at(), source })
    }

    /// The subnet.
    #[must_use]
    pub fn netuid(&self) -> u16 {
        self.netuid
    }

    /// The block at which the neurons were read.
    #[must_use]
    pub fn block(&self) -> u64 {
        self.block
    }

    /// The hotkey of the subnet's owner, in SS58; it need not be registered.
    #[must_use]
    pub fn owner_hotkey(&self) -> Option<&str> {
        self.owner_hotkey.as_deref()
    }

    /// What the subnet asks of those who set its weights; `None` if the file does not
    /// tell.
    #[must_use]
    pub fn hyperparameters(&self) -> Option<&Hyperparameters> {
        self.hyperparameters.as_ref()
    }

    /// All neurons, in ascending order of uid.
    pub fn neurons(&self) -> impl ExactSizeIterator<Item = &Neuron> {
        self.neurons.values()
    }

    /// The neuron at a uid.
    #[must_use]
    pub fn by_uid(&self, uid: u16) -> Option<&Neuron> {
        self.neurons.get(&uid)
    }

    /// The neuron of a hotkey.
    #[must_use]
    pub fn by_hotkey(&self, hotkey: &str) -> Option<&Neuron> {
        self.by_uid(self.uid_of(hotkey)?)
    }

    /// The uid of a hotkey.
    #[must_use]
    pub fn uid_of(&self, hotkey: &str) -> Option<u16> {
        self.uids.get(hotkey).copied()
    }

    /// Hotkey → uid of all neurons.
    #[must_use]
    pub fn uids(&self) -> &BTreeMap<String, u16> {
        &self.uids
    }

    /// Whether anything is different but the block and when weights were last set,
    /// which are at nearly every block.
    pub(super) fn differs(&self, other: &Self) -> bool {
        let same = |(one, other): (&Neuron, &Neuron)| {
            let last_update = one.last_update;
            let other = Neuron {
                last_update,
                ..other.clone()
            };
            *one == other
        };
        self.netuid != other.netuid
            || self.owner_hotkey != other.owner_hotkey
            || self.hyperparameters != other.hyperparameters
            || self.neurons.len() != other.neurons.len()
            || !self.neurons().zip(other.neurons()).all(same)
    }
}

impl TryFrom<Document> for Metagraph {
    type Error = InvalidMetagraph;

    fn try_from(document: Document) -> Result<Self, InvalidMetagraph> {
        let Document {
            netuid,
            block,
            owner_hotkey,
            hyperparameters,
            neurons,
        } = document;
        Ok(Self {
            hyperparameters,
            ..Self::new(netuid, block, owner_hotkey, neurons)?
        })
    }
}

impl From<Metagraph> for Document {
    fn from(metagraph: Metagraph) -> Self {
        Self {
            netuid: metagraph.netuid,
            block: metagraph.block,
            owner_hotkey: metagraph.owner_hotkey,
            hyperparameters: metagraph.hyperparameters,
            neurons: metagraph.neurons.into_values().collect(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn neuron(uid: u16, hotkey: &str, stake: f64) -> Neuron {
        Neuron {
            uid,
            hotkey: hotkey.to_owned(),
            coldkey: "ck".to_owned(),
            axon_ip: Some([192, 0, 2, 1].into()),
            stake,
            ..Neuron::default()
        }
    }

    fn invalid(neurons: Vec<Neuron>) -> String {
        Metagraph::new(1, 2, None, neurons).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_back_and_found_by_uid_and_hotkey() {
        let neurons = vec![neuron(7, "b", 1.5), neuron(2, "a", 0.0)];
        let metagraph = Metagraph::new(1, 2, Some("o".to_owned()), neurons).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::to_vec(&metagraph).unwrap()).unwrap();
        assert_eq!(Metagraph::load(file.path()).unwrap(), metagraph);
        assert_eq!(
            metagraph.neurons().map(|n| n.uid).collect::<Vec<_>>(),
            [2, 7]
        );
        assert_eq!(metagraph.by_hotkey("b"), metagraph.by_uid(7));
        assert_eq!(metagraph.uid_of("c"), None);
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        assert_eq!(
            invalid(vec![neuron(3, "a", 0.0), neuron(3, "b", 0.0)]),
            "uid 3 occurs twice"
        );
        let twice = invalid(vec![neuron(4, "a", 0.0), neuron(3, "a", 0.0)]);
        assert_eq!(twice, "hotkey a occurs twice, at uid 3 and uid 4");
        assert!(invalid(vec![neuron(3, "", 0.0)]).contains("uid 3 is empty"));
        for stake in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(invalid(vec![neuron(3, "a", stake)]).contains("stake of uid 3"));
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"netuid": 1, "block": 2, "neurons": [], "tempo": 360}"#;
        let error = serde_json::from_str::<Metagraph>(text)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `tempo`"), "{error}");
    }

    #[test]
    fn what_only_a_chain_tells_may_be_left_out_and_then_is_not_written() {
        let text = r#"{"netuid":1,"block":2,"owner_hotkey":null,"neurons":[{"uid":0,"hotkey":"a","coldkey":"c","axon_ip":null,"stake":1.5,"validator_permit":true}]}"#;
        let metagraph: Metagraph = serde_json::from_str(text).unwrap();
        assert_eq!(metagraph.hyperparameters(), None);
        assert_eq!(metagraph.by_uid(0).unwrap().last_update, None);
        assert_eq!(serde_json::to_string(&metagraph).unwrap(), text);
    }

    #[test]
    fn what_a_chain_tells_is_read_back() {
        let told = Neuron {
            axon_port: Some(8_091),
            last_update: Some(0),
            registered_at: Some(7),
            alpha_stake: Some(1.25),
            tao_stake: Some(0.0),
            ..neuron(0, "a", 1.25)
        };
        let limits = Hyperparameters {
            tempo: 360,
            weights_rate_limit: 100,
            weights_version: 0,
            min_allowed_weights: 1,
            max_weight_limit: u16::MAX,
            commit_reveal_enabled: true,
            commit_reveal_period: 1,
            commit_reveal_version: None,
            mechanism_count: 1,
            stake_threshold: 9,
        };
        let metagraph = Metagraph::new(1, 2, None, vec![told]).unwrap();
        let metagraph = metagraph.with_hyperparameters(limits);
        let text = serde_json::to_string(&metagraph).unwrap();
        assert!(
            text.contains(r#""hyperparameters":{"tempo":360,"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Metagraph>(&text).unwrap(), metagraph);
    }

    #[test]
    fn a_port_of_0_is_none() {
        let of = |port: &str| {
            let text = format!(
                r#"{{"uid":0,"hotkey":"a","coldkey":"c","axon_ip":"192.0.2.1","axon_port":{port},"stake":1.5,"validator_permit":true}}"#
            );
            serde_json::from_str::<Neuron>(&text).map(|neuron| neuron.axon_port)
        };
        assert_eq!(of("0").unwrap(), None);
        assert_eq!(of("null").unwrap(), None);
        assert_eq!(of("65535").unwrap(), Some(u16::MAX));
        assert!(of("65536").is_err());
    }

    #[test]
    fn every_stake_must_be_finite_and_at_least_0() {
        let alpha = Neuron {
            alpha_stake: Some(-1.0),
            ..neuron(3, "a", 0.0)
        };
        let tao = Neuron {
            tao_stake: Some(f64::NAN),
            ..neuron(3, "a", 0.0)
        };
        for neuron in [alpha, tao] {
            assert!(invalid(vec![neuron]).contains("stake of uid 3"));
        }
    }
}
