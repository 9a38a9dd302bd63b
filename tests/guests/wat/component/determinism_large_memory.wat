;; A submission whose memory has more from the start, 320 MiB, than it may have. What comes
;; of that must not depend on how much the host has for other calls.
(component
  (core module $solver
    (memory (export "memory") 5120)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "solve") (param i32 i32) (result i32)
      (i32.store8 (i32.const 64) (i32.const 49))
      (i32.store (i32.const 4) (i32.const 64))
      (i32.store (i32.const 8) (i32.const 1))
      (i32.const 0)))
  (core instance $i (instantiate $solver))
  (func (export "solve") (param "task" string) (result (result string (error string)))
    (canon lift (core func $i "solve")
      (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
