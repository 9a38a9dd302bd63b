;; A submission with more memories than one call of the pool has. Whether it runs must not
;; depend on whether there is a pool.
(component
  (core module $solver
    (memory (export "memory") 1) (memory 1) (memory 1) (memory 1) (memory 1)
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
