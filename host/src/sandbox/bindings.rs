//! Generated from `wit/`: one module per world, types shared.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::restriction
)]

pub(super) mod controller {
    wasmtime::component::bindgen!({
        path: "../wit/challenge",
        world: "controller-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

pub(super) mod info {
    wasmtime::component::bindgen!({
        path: "../wit/challenge",
        world: "info-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize],
        with: {
            "proctor:challenge/types": super::controller::proctor::challenge::types,
            "proctor:challenge/context": super::controller::proctor::challenge::context,
        },
    });
}

pub(super) mod comparer {
    wasmtime::component::bindgen!({
        path: "../wit/challenge",
        world: "comparer-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "proctor:challenge/types": super::controller::proctor::challenge::types,
            "proctor:challenge/context": super::controller::proctor::challenge::context,
            "proctor:challenge/runner": super::controller::proctor::challenge::runner,
            "proctor:challenge/database": super::controller::proctor::challenge::database,
        },
    });
}

pub(super) mod weights {
    wasmtime::component::bindgen!({
        path: "../wit/challenge",
        world: "weights-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "proctor:challenge/types": super::controller::proctor::challenge::types,
            "proctor:challenge/context": super::controller::proctor::challenge::context,
            "proctor:challenge/database": super::controller::proctor::challenge::database,
        },
    });
}

pub(super) mod routes {
    wasmtime::component::bindgen!({
        path: "../wit/challenge",
        world: "routes-plugin",
        imports: { default: async | trappable },
        with: {
            "proctor:challenge/types": super::controller::proctor::challenge::types,
            "proctor:challenge/context": super::controller::proctor::challenge::context,
            "proctor:challenge/database": super::controller::proctor::challenge::database,
        },
    });
}

pub(super) mod organic {
    wasmtime::component::bindgen!({
        path: "../wit/challenge",
        world: "organic-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "proctor:challenge/types": super::controller::proctor::challenge::types,
            "proctor:challenge/context": super::controller::proctor::challenge::context,
            "proctor:challenge/database": super::controller::proctor::challenge::database,
        },
    });
}

pub(super) mod solver {
    wasmtime::component::bindgen!({
        path: "../wit/solver",
        world: "solver",
        exports: { default: async },
    });
}

pub(super) use controller::proctor::challenge::{context, database, runner};
pub(super) use routes::proctor::challenge::standings;

/// What `submissions.submit` returns.
pub use routes::proctor::challenge::submissions;

/// The records of the contract.
pub use controller::proctor::challenge::types;
