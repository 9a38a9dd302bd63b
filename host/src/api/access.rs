//! Who asks: requests that are signed with a validator's hotkey.

use super::App;
use super::problem::Problem;
use crate::chain::signed::{self, Signed};
use crate::clock;
use axum::http::{HeaderMap, StatusCode};

impl App {
    /// Who signed a request: a registered validator with enough stake, at its own
    /// uid, just now.
    ///
    /// # Errors
    ///
    /// 401 with the code of the [`SignatureFault`](crate::chain::SignatureFault);
    /// 403 with `not_registered` or `stake_too_low`.
    pub(super) fn signer(&self, headers: &HeaderMap, body: &[u8]) -> Result<Signed, Problem> {
        let rules = &self.config.commits;
        let header = |name: &str| {
            // What is no text is malformed, and so is the empty text.
            let value = headers.get(name)?;
            Some(value.to_str().unwrap_or_default())
        };
        let signed = signed::check(header, body, clock::unix_now(), rules.max_request_age_s)
            .map_err(|fault| {
                Problem::new(StatusCode::UNAUTHORIZED, fault.code(), fault.to_string())
            })?;
        let forbidden = |code, detail| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
        let metagraph = self.metagraph();
        let Some(neuron) = metagraph.by_hotkey(&signed.hotkey) else {
            let detail = format!("{} is not registered on the subnet", signed.hotkey);
            return forbidden("not_registered", detail);
        };
        if i32::from(neuron.uid) != signed.uid {
            let detail = format!(
                "{} is registered at uid {}, not {}",
                signed.hotkey, neuron.uid, signed.uid
            );
            return forbidden("not_registered", detail);
        }
        if neuron.stake < rules.min_validator_stake {
            let detail = format!(
                "a stake of {} is below the minimum of {}",
                neuron.stake, rules.min_validator_stake
            );
            return forbidden("stake_too_low", detail);
        }
        Ok(signed)
    }
}
