//! Checks of weights, in the order of `internal_set_weights`.

use super::super::call::WeightCall;
use super::checks::{check, mechanism, not_asked, rate_limit, registered, stake};
use super::{By, ChainState, Check};

/// Weights that are set, or inside of a commit.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    call: &'a WeightCall,
    uids: &'a [u16],
    values: &'a [u16],
    version_key: u64,
}

impl<'a> Weights<'a> {
    pub(super) fn of(
        call: &'a WeightCall,
        uids: &'a [u16],
        values: &'a [u16],
        version_key: u64,
    ) -> Self {
        Weights {
            call,
            uids,
            values,
            version_key,
        }
    }

    /// `internal_set_weights`, check by check.
    pub(super) fn checks(self, state: &ChainState, by: By) -> Vec<Check> {
        // What the pool checks of a call, it does not check of what is in a commit.
        let pool = if by == By::Call { By::Pool } else { by };
        // The commit is what was limited.
        let rate_limit = if state.has_commit_reveal() {
            not_asked("SettingWeightsTooFast", by)
        } else {
            rate_limit(state, "SettingWeightsTooFast", pool)
        };
        vec![
            check("CanNotSetRootNetworkWeights", by, self.root()),
            check("WeightVecNotEqualSize", by, self.lengths()),
            mechanism(state, self.call, by),
            check("UidsLengthExceedUidsInSubNet", by, self.too_many(state)),
            registered(state, by),
            stake(state, pool),
            check("IncorrectWeightVersionKey", by, self.old_version(state)),
            rate_limit,
            self.permit(state, by),
            check("DuplicateUids", by, self.duplicates()),
            check("UidVecContainInvalidOne", by, self.unknown(state)),
            check("WeightVecLengthIsLow", by, self.too_few(state)),
            check("MaxWeightExceeded", by, self.too_heavy(state)),
            check("AllWeightsZero", By::Host, self.all_zero()),
        ]
    }

    /// Whether it is one weight of a hotkey for itself, which is excused from much.
    fn is_for_itself(self, state: &ChainState) -> bool {
        self.values.len() == 1
            && self.uids.first().copied() == state.hotkey.uid
            && state.hotkey.uid.is_some()
    }

    fn root(self) -> Option<String> {
        (self.call.netuid() == 0).then(|| "this call is for subnet 0, the root".to_owned())
    }

    fn lengths(self) -> Option<String> {
        let (uids, values) = (self.uids.len(), self.values.len());
        (uids != values).then(|| format!("there are {uids} uids and {values} values"))
    }

    fn too_many(self, state: &ChainState) -> Option<String> {
        let (uids, neurons) = (self.uids.len(), state.neurons);
        (uids > usize::from(neurons))
            .then(|| format!("there are {uids} uids, and {neurons} are registered"))
    }

    fn old_version(self, state: &ChainState) -> Option<String> {
        let (ours, least) = (self.version_key, state.hyperparameters.weights_version);
        (least != 0 && ours < least)
            .then(|| format!("the version key is {ours}, and the subnet asks for {least} or more"))
    }

    fn permit(self, state: &ChainState, by: By) -> Check {
        const ERROR: &str = "NeuronNoValidatorPermit";
        let Some(uid) = state.hotkey.uid else {
            return not_asked(ERROR, by);
        };
        let fault = !(self.is_for_itself(state) || state.is_owner() || state.hotkey.permit);
        let fault = fault.then(|| format!("uid {uid} has no validator permit"));
        check(ERROR, by, fault)
    }

    fn duplicates(self) -> Option<String> {
        let mut sorted = self.uids.to_vec();
        sorted.sort_unstable();
        let pairs = sorted.windows(2).filter(|pair| pair.first() == pair.last());
        let count = pairs.clone().count();
        let twice = pairs.filter_map(|pair| pair.first()).next()?;
        Some(format!("{count} uids are there again, such as {twice}"))
    }

    fn unknown(self, state: &ChainState) -> Option<String> {
        let neurons = state.neurons;
        let unknown = self.uids.iter().filter(|uid| **uid >= neurons);
        let count = unknown.clone().count();
        let first = unknown.min()?;
        Some(format!(
            "{count} uids are not registered, such as {first}; there are {neurons}"
        ))
    }

    fn too_few(self, state: &ChainState) -> Option<String> {
        let asked = state.hyperparameters.min_allowed_weights;
        let least = asked.min(state.neurons);
        let count = self.values.len();
        let too_few = count < usize::from(least) && !self.is_for_itself(state);
        too_few.then(|| {
            let missing = usize::from(least) - count;
            let neurons = state.neurons;
            format!(
                "there are {count} weights, {missing} less than the {least} asked for \
                 (the least of {asked} and the {neurons} that are registered)"
            )
        })
    }

    fn too_heavy(self, state: &ChainState) -> Option<String> {
        let limit = state.hyperparameters.max_weight_limit;
        if limit == u16::MAX || self.is_for_itself(state) {
            return None;
        }
        // The chain compares fixed-point numbers of 32 binary places.
        let sum: u64 = self.values.iter().copied().map(u64::from).sum();
        let greatest = self.values.iter().copied().max().map(u64::from)?;
        let share = (greatest << 32).checked_div(sum)?;
        let most = (u64::from(limit) << 32) / u64::from(u16::MAX);
        (share > most).then(|| {
            let percent = |part: u64| part as f64 / (1u64 << 32) as f64 * 100.0;
            let (share, most) = (percent(share), percent(most));
            format!("one weight is {share:.2} % of the sum, and {most:.2} % is allowed")
        })
    }

    /// The chain takes such weights, and they say nothing.
    fn all_zero(self) -> Option<String> {
        let count = self.values.len();
        (self.values.iter().all(|value| *value == 0))
            .then(|| format!("all of the {count} weights are 0"))
    }
}
