;; `validate-settings` returns 4000 problems, whose texts are all the same
;; megabyte: 8 GB for the host, 1 MB for the guest.
(module
  (memory (export "memory") 20)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "proctor:challenge/info@0.1.0#describe") (result i32)
    unreachable)
  (func (export "proctor:challenge/info@0.1.0#validate-settings") (param i32 i32) (result i32)
    (local $problem i32)
    ;; At 0: err, and a list of 4000 at 65536. Each has two texts.
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 65536))
    (i32.store (i32.const 8) (i32.const 4000))
    (local.set $problem (i32.const 65536))
    (loop $next
      (i32.store offset=4 (local.get $problem) (i32.const 1000000))
      (i32.store offset=12 (local.get $problem) (i32.const 1000000))
      (local.set $problem (i32.add (local.get $problem) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $problem) (i32.const 129536))))
    i32.const 0))
