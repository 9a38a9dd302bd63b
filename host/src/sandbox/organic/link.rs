//! Checks the types of a component's `organic`.
//!
//! The generated code looks for names alone when a component is loaded, and at types in
//! each call: without this, a wrong shape would be found by the first caller.

use super::super::bindings::organic::OrganicPluginPre;
use super::super::bindings::types::ChallengeError;
use super::super::state::State;
use super::{Admission, Entry, Folded, MinerReward, Neuron, Query, Response, Rewarded};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower};

/// What the generated code looks for; a later patch of it does as well.
const INTERFACE: &str = "proctor:challenge/organic@0.1.1";

type Returned<T> = (Result<T, ChallengeError>,);

/// Links what a component exports as `organic`.
///
/// # Errors
///
/// It exports no such interface, or one of another shape.
pub(in crate::sandbox) fn link(
    pre: InstancePre<State>,
) -> wasmtime::Result<OrganicPluginPre<State>> {
    let exported = Exported(&pre);
    exported.check::<(&Entry,), Returned<Admission>>("admit")?;
    exported.check::<(), Returned<Vec<String>>>("datasets")?;
    exported.check::<(&str, u64), Returned<String>>("synthesize")?;
    exported.check::<(&str, &[Neuron]), Returned<Vec<Query>>>("queries")?;
    exported.check::<(&str,), Returned<Option<String>>>("reference")?;
    type Answers<'a> = (&'a str, &'a [Response], Option<&'a str>);
    exported.check::<Answers<'_>, Returned<Vec<MinerReward>>>("reward")?;
    exported.check::<(&[Rewarded], Option<&str>), Returned<Folded>>("fold")?;
    OrganicPluginPre::new(pre)
}

struct Exported<'a>(&'a InstancePre<State>);

impl Exported<'_> {
    /// Checks that a function takes and returns these.
    fn check<P, R>(&self, name: &str) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let function = self
            .function(name)
            .ok_or_else(|| wasmtime::format_err!("there is no function {name}"))?;
        let checked = function.typecheck::<P, R>(&self.0.instance_type());
        checked.map_err(|error| error.context(format!("the type of {name}")))
    }

    fn function(&self, name: &str) -> Option<ComponentFunc> {
        let component = self.0.component();
        let interface = component.get_export_index(None, INTERFACE)?;
        match component.get_export(Some(&interface), name)?.0 {
            ComponentItem::ComponentFunc(function) => Some(function),
            _ => None,
        }
    }
}
