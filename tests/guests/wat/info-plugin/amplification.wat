;; `validate-settings` returns 4000 problems, whose texts are all the same
;; megabyte: 8 GB for the host, 1 MB for the guest.
(module
  (memory (export "memory") 20)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "proctor:challenge/info@0.1.1#describe") (result i32)
    unreachable)
  (func (export "proctor:challenge/info@0.1.1#validate-settings") (param i32 i32) (result i32)
    (local $problem i32)
    ;; At 1 MiB: err, and a list of 4000 after it. Each has two texts at 0.
    (i32.store8 (i32.const 1048576) (i32.const 1))
    (i32.store (i32.const 1048580) (i32.const 1048592))
    (i32.store (i32.const 1048584) (i32.const 4000))
    (local.set $problem (i32.const 1048592))
    (loop $next
      (i32.store offset=4 (local.get $problem) (i32.const 1000000))
      (i32.store offset=12 (local.get $problem) (i32.const 1000000))
      (local.set $problem (i32.add (local.get $problem) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $problem) (i32.const 1112592))))
    i32.const 1048576))
