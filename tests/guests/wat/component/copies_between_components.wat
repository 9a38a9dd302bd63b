;; A solver of two components that pass strings of 60 MB between them. The host
;; copies these, so hardly any instruction of the guest is executed.
(component
  (component $callee
    (core module $m
      (memory (export "memory") 1000)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "text" string)
      (canon lift (core func $i "take")
        (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))

  (component $caller
    (import "take" (func $take (param "text" string)))
    (core module $libc
      (memory (export "memory") 1000)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
    (core instance $libc (instantiate $libc))
    (core func $take (canon lower (func $take) (memory (core memory $libc "memory"))))
    (core module $m
      (import "callee" "take" (func $take (param i32 i32)))
      (func (export "solve") (param i32 i32) (result i32)
        (loop $again
          (call $take (i32.const 0) (i32.const 60000000))
          (br $again))
        unreachable))
    (core instance $i
      (instantiate $m (with "callee" (instance (export "take" (func $take))))))
    (func (export "solve") (param "task" string) (result (result string (error string)))
      (canon lift (core func $i "solve")
        (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")))))

  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller (with "take" (func $callee "take"))))
  (export "solve" (func $caller "solve")))
