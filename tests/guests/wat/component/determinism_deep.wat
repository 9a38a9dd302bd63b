;; Takes nearly all of its stack, and then has the host call it back: the allocator, which
;; the host needs for what it answers, takes as much again. The task is one digit, which
;; tells how near to the end the first one gets.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $allocator
    (memory (export "memory") 1)
    (global $is-deep (export "is-deep") (mut i32) (i32.const 0))
    (func $recurse (param i64) (result i64)
      (i64.add (local.get 0) (call $recurse (i64.add (local.get 0) (i64.const 1)))))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (if (global.get $is-deep) (then (drop (call $recurse (i64.const 0)))))
      (i32.const 1024)))
  (core instance $a (instantiate $allocator))
  (core func $random (canon lower (func $random "get-random-bytes")
    (memory (core memory $a "memory")) (realloc (core func $a "realloc"))))
  (core module $solver
    (import "a" "memory" (memory 1))
    (import "a" "is-deep" (global $is-deep (mut i32)))
    (import "host" "random" (func $random (param i64 i32)))
    ;; Each of these takes 48 bytes of the MiB.
    (func $recurse (param i64) (result i64)
      (if (result i64) (i64.eqz (local.get 0))
        (then
          (global.set $is-deep (i32.const 1))
          (call $random (i64.const 8) (i32.const 2048))
          (i64.const 0))
        (else
          (i64.add (local.get 0)
            (call $recurse (i64.sub (local.get 0) (i64.const 1)))))))
    (func (export "solve") (param $task i32) (param $length i32) (result i32)
      (drop (call $recurse (i64.add (i64.const 20900)
        (i64.mul (i64.const 100)
          (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $task)) (i32.const 48)))))))
      (i32.store8 (i32.const 64) (i32.const 49))
      (i32.store (i32.const 4) (i32.const 64))
      (i32.store (i32.const 8) (i32.const 1))
      (i32.const 0)))
  (core instance $i (instantiate $solver
    (with "a" (instance $a))
    (with "host" (instance (export "random" (func $random))))))
  (func (export "solve") (param "task" string) (result (result string (error string)))
    (canon lift (core func $i "solve")
      (memory (core memory $a "memory")) (realloc (core func $a "realloc")))))
