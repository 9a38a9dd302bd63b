(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "proctor:challenge/info@0.1.1#describe") (result i32)
    (loop $again (br $again))
    unreachable)
  (func (export "proctor:challenge/info@0.1.1#validate-settings") (param i32 i32) (result i32)
    unreachable))
