//! Generated from `wit/`: one module per world, because a component exports
//! exactly the worlds that its author names. The component linker merges them.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]

/// The capability `scoring`, and the types and imports that the others share.
pub mod controller {
    wit_bindgen::generate!({
        path: "../wit/challenge",
        world: "controller-plugin",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_controller",
        default_bindings_module: "proctor_sdk::bindings::controller",
    });
}

/// What every plugin exports.
pub mod info {
    wit_bindgen::generate!({
        path: "../wit/challenge",
        world: "info-plugin",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_info",
        default_bindings_module: "proctor_sdk::bindings::info",
        with: {
            "proctor:challenge/types@0.1.1": super::controller::proctor::challenge::types,
            "proctor:challenge/context@0.1.1": super::controller::proctor::challenge::context,
        },
    });
}

/// The capability `comparison`.
pub mod comparer {
    wit_bindgen::generate!({
        path: "../wit/challenge",
        world: "comparer-plugin",
        pub_export_macro: true,
        export_macro_name: "export_comparer",
        default_bindings_module: "proctor_sdk::bindings::comparer",
        with: {
            "proctor:challenge/types@0.1.1": super::controller::proctor::challenge::types,
            "proctor:challenge/context@0.1.1": super::controller::proctor::challenge::context,
            "proctor:challenge/runner@0.1.1": super::controller::proctor::challenge::runner,
            "proctor:challenge/database@0.1.1": super::controller::proctor::challenge::database,
        },
    });
}

/// The capability `get_weights`.
pub mod weights {
    wit_bindgen::generate!({
        path: "../wit/challenge",
        world: "weights-plugin",
        pub_export_macro: true,
        export_macro_name: "export_weights",
        default_bindings_module: "proctor_sdk::bindings::weights",
        with: {
            "proctor:challenge/types@0.1.1": super::controller::proctor::challenge::types,
            "proctor:challenge/context@0.1.1": super::controller::proctor::challenge::context,
            "proctor:challenge/database@0.1.1": super::controller::proctor::challenge::database,
        },
    });
}

/// What the capability `proxy_routes` imports. Its export is WASI's.
pub mod routes {
    wit_bindgen::generate!({
        path: "../wit/challenge",
        world: "routes-plugin",
        additional_derives: [PartialEq],
        default_bindings_module: "proctor_sdk::bindings::routes",
        with: {
            "proctor:challenge/types@0.1.1": super::controller::proctor::challenge::types,
            "proctor:challenge/context@0.1.1": super::controller::proctor::challenge::context,
            "proctor:challenge/database@0.1.1": super::controller::proctor::challenge::database,
        },
    });
}

/// The capability `organic`.
pub mod organic {
    wit_bindgen::generate!({
        path: "../wit/challenge",
        world: "organic-plugin",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_organic",
        default_bindings_module: "proctor_sdk::bindings::organic",
        with: {
            "proctor:challenge/types@0.1.1": super::controller::proctor::challenge::types,
            "proctor:challenge/context@0.1.1": super::controller::proctor::challenge::context,
            "proctor:challenge/database@0.1.1": super::controller::proctor::challenge::database,
        },
    });
}

/// What a miner submits.
pub mod solver {
    wit_bindgen::generate!({
        path: "../wit/solver",
        world: "solver",
        pub_export_macro: true,
        export_macro_name: "export_solver_world",
        default_bindings_module: "proctor_sdk::bindings::solver",
    });
}
