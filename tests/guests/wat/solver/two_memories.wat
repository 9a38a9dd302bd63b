;; Two memories, each within the limit, together above it.
(module
  (memory (export "memory") 1)
  (memory $other 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "solve") (param i32 i32) (result i32)
    (if (i32.eq (memory.grow (i32.const 1200)) (i32.const -1)) (then unreachable))
    (if (i32.eq (memory.grow $other (i32.const 1200)) (i32.const -1)) (then unreachable))
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 64))
    (i32.store (i32.const 8) (i32.const 0))
    i32.const 0))
