//! What components may import. Nothing here reaches the network, the
//! environment, or a file outside of what a call is granted.

use super::bindings::{context, database, runner, types};
use super::clock::LogicalClocks;
use super::state::State;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker, types::ComponentItem};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::WasiCli;
use wasmtime_wasi::filesystem::WasiFilesystem;
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::random::WasiRandom;

/// What a challenge may import.
pub(super) fn plugin_linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = solver_linker(engine)?;
    types::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    context::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    runner::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    database::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// What a solver may import: WASI, without sockets. Files are there in name only,
/// because a solver is granted no directory, and the standard libraries of most
/// languages do not link without them.
pub(super) fn solver_linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::<State>::new(engine);
    let l = &mut linker;
    // io, clocks, random, stdio; the rest of wasi:cli but sockets follows.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    // Ours in place of the one that is there: see `LogicalClocks`.
    l.allow_shadowing(true);
    clocks::monotonic_clock::add_to_linker::<_, LogicalClocks>(l, State::monotonic_clock)?;
    l.allow_shadowing(false);
    random::insecure::add_to_linker::<_, WasiRandom>(l, |s: &mut State| s.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |s: &mut State| s.ctx().ctx.random())?;
    cli::exit::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, wasmtime_wasi::cli::WasiCliView::cli)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(
        l,
        wasmtime_wasi::filesystem::WasiFilesystemView::filesystem,
    )?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(
        l,
        wasmtime_wasi::filesystem::WasiFilesystemView::filesystem,
    )?;
    Ok(linker)
}

/// Names of what a component imports, as it names them.
pub(super) fn imports(component: &Component) -> Vec<String> {
    component
        .component_type()
        .imports(component.engine())
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Names of what a component exports, as it names them.
pub(super) fn exports(component: &Component) -> Vec<String> {
    component
        .component_type()
        .exports(component.engine())
        .filter(|(_, item)| {
            matches!(
                item.ty,
                ComponentItem::ComponentInstance(_) | ComponentItem::ComponentFunc(_)
            )
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}
