;; Each table is small; together they are more than a store may have.
(module
  (memory (export "memory") 1)
  (table 40000 funcref) (table 40000 funcref) (table 40000 funcref)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "proctor:challenge/info@0.1.1#describe") (result i32)
    unreachable)
  (func (export "proctor:challenge/info@0.1.1#validate-settings") (param i32 i32) (result i32)
    unreachable))
