;; What `cargo build --target wasm32-unknown-unknown` makes.
(module (func (export "describe")))
