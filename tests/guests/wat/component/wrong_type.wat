;; Exports `solve`, but of another type.
(component
  (core module $m (func (export "solve") (result i32) i32.const 42))
  (core instance $i (instantiate $m))
  (func (export "solve") (result u32) (canon lift (core func $i "solve"))))
