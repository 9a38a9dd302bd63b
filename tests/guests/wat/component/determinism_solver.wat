;; What a submission could see of a processor, of the machine's memory, of chance and of
;; time. The task is one digit. The answer is a JSON text of hexadecimal digits, 16 for
;; each value, unless the run ends otherwise.
;;
;; Its bytes follow from this text alone: a receipt of it is known in advance.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-u64" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core func $random (canon lower (func $random "get-random-u64")))
  (core module $solver
    (import "host" "now" (func $now (result i64)))
    (import "host" "random" (func $random (result i64)))
    (memory (export "memory") 1)
    (table $table 1 funcref)
    ;; Where the answer goes on. It begins at 4096.
    (global $end (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))

    (func $byte (param $byte i32)
      (i32.store8 (global.get $end) (local.get $byte))
      (global.set $end (i32.add (global.get $end) (i32.const 1))))
    (func $put (param $value i64)
      (local $shift i64) (local $digit i32)
      (local.set $shift (i64.const 64))
      (loop $next
        (local.set $shift (i64.sub (local.get $shift) (i64.const 4)))
        (local.set $digit (i32.and (i32.const 15)
          (i32.wrap_i64 (i64.shr_u (local.get $value) (local.get $shift)))))
        (call $byte (i32.add (local.get $digit) (select
          (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
        (br_if $next (i64.ne (local.get $shift) (i64.const 0)))))
    (func $f64 (param $value f64) (call $put (i64.reinterpret_f64 (local.get $value))))
    (func $f32 (param $value f32)
      (call $put (i64.extend_i32_u (i32.reinterpret_f32 (local.get $value)))))
    (func $v128 (param $value v128)
      (call $put (i64x2.extract_lane 1 (local.get $value)))
      (call $put (i64x2.extract_lane 0 (local.get $value))))

    ;; Numbers that the compiler does not know.
    (global $zero (mut f64) (f64.const 0))
    (global $zero32 (mut f32) (f32.const 0))

    (func $floats
      (local $signalling f64) (local $payload32 f32)
      (local.set $signalling (f64.reinterpret_i64 (i64.const 0xfff0000000000abc)))
      (local.set $payload32 (f32.reinterpret_i32 (i32.const 0xffabcdef)))
      ;; Processors differ in the sign and the payload of these NaNs.
      (call $f64 (f64.div (global.get $zero) (global.get $zero)))
      (call $f64 (f64.sqrt (f64.sub (global.get $zero) (f64.const 1))))
      (call $f64 (f64.sub (f64.const inf) (f64.add (global.get $zero) (f64.const inf))))
      (call $f64 (f64.add (local.get $signalling) (global.get $zero)))
      (call $f64 (f64.min (f64.const 1) (local.get $signalling)))
      (call $f64 (f64.promote_f32 (local.get $payload32)))
      (call $f32 (f32.div (global.get $zero32) (global.get $zero32)))
      (call $f32 (f32.demote_f64 (local.get $signalling)))
      (call $v128 (f64x2.add
        (f64x2.splat (local.get $signalling)) (f64x2.splat (global.get $zero))))
      (call $v128 (f32x4.div
        (f32x4.splat (global.get $zero32)) (f32x4.splat (global.get $zero32))))
      ;; Moving bits is no arithmetic: these keep them.
      (call $f64 (f64.neg (local.get $signalling)))
      (call $v128 (f64x2.pmin
        (f64x2.splat (local.get $signalling)) (f64x2.splat (global.get $zero))))
      ;; Zeros with a sign, numbers below the normal ones, halves, what is not fused.
      (call $f64 (f64.min (f64.neg (global.get $zero)) (global.get $zero)))
      (call $f64 (f64.mul (f64.const 0x1p-1022)
        (f64.add (global.get $zero) (f64.const 0.5))))
      (call $f64 (f64.mul (f64.const 0x1p-1074)
        (f64.add (global.get $zero) (f64.const 0.5))))
      (call $f64 (f64.nearest (f64.add (global.get $zero) (f64.const 2.5))))
      (call $f64 (f64.sub
        (f64.mul (f64.add (global.get $zero) (f64.const 0.1)) (f64.const 10))
        (f64.const 1))))

    ;; Instructions whose result WebAssembly leaves to the processor: what they come to
    ;; is that of its deterministic profile.
    (func $relaxed
      ;; 5.55e-17, with one rounding; with two it is 0.
      (call $v128 (f64x2.relaxed_madd
        (f64x2.splat (f64.add (global.get $zero) (f64.const 0.1)))
        (f64x2.splat (f64.const 10)) (f64x2.splat (f64.const -1))))
      (call $v128 (i8x16.relaxed_swizzle
        (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
        (v128.const i8x16 0 15 16 17 31 32 64 127 -128 -127 -1 -16 3 4 5 6)))
      (call $v128 (i32x4.relaxed_trunc_f32x4_s
        (v128.const f32x4 nan -inf 0x1p31 -1.5)))
      (call $v128 (i32x4.relaxed_trunc_f32x4_u
        (v128.const f32x4 nan -1 0x1p32 0x1p31)))
      (call $v128 (i32x4.relaxed_trunc_f64x2_s_zero (v128.const f64x2 nan 0x1p31)))
      (call $v128 (f64x2.relaxed_min (v128.const f64x2 nan -0) (v128.const f64x2 1 0)))
      (call $v128 (f64x2.relaxed_max (v128.const f64x2 1 -0) (v128.const f64x2 nan 0)))
      (call $v128 (i16x8.relaxed_q15mulr_s
        (v128.const i16x8 -32768 -32768 1 2 3 4 5 6)
        (v128.const i16x8 -32768 32767 1 2 3 4 5 6)))
      (call $v128 (i16x8.relaxed_dot_i8x16_i7x16_s
        (v128.const i8x16 -128 -128 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        (v128.const i8x16 -128 -128 -1 2 3 4 5 6 7 8 9 10 11 12 13 14)))
      (call $v128 (i32x4.relaxed_laneselect
        (v128.const i32x4 -1 -1 -1 -1) (v128.const i32x4 0 0 0 0)
        (v128.const i32x4 0x80000000 0x7fffffff 0x00ff00ff 1))))

    ;; Takes pages and entries of a table until it is given no more.
    (func $grow
      (local $pages i64) (local $entries i64)
      (block $refused
        (loop $more
          (br_if $refused (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
          (local.set $pages (i64.add (local.get $pages) (i64.const 1)))
          (br $more)))
      (call $put (local.get $pages))
      (call $put (i64.extend_i32_u (memory.size)))
      (call $put (i64.extend_i32_s (memory.grow (i32.const 0))))
      (call $put (i64.extend_i32_s (memory.grow (i32.const 65535))))
      (block $refused
        (loop $more
          (br_if $refused (i32.eq
            (table.grow $table (ref.null func) (i32.const 100)) (i32.const -1)))
          (local.set $entries (i64.add (local.get $entries) (i64.const 100)))
          (br $more)))
      (call $put (local.get $entries))
      ;; A fresh page is zero, whoever had it before; and is not when it is left.
      (call $put (i64.load (i32.sub
        (i32.mul (memory.size) (i32.const 65536)) (i32.const 8))))
      (memory.fill (i32.const 65536) (i32.const 0xa5)
        (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536))))

    (func $chance
      (call $put (call $random))
      (call $put (call $now))
      (call $put (call $random))
      (call $put (call $now)))

    ;; How deep this gets depends on the size of its frame, and that on the instructions
    ;; that the processor has for floats.
    (func $recurse (param f64 f64 f64 f64 f64 f64) (result f64)
      (f64.add
        (f64.mul (f64.floor (local.get 0)) (f64.nearest (local.get 1)))
        (f64.add
          (call $recurse (f64.ceil (local.get 1)) (f64.trunc (local.get 2))
            (f64.floor (local.get 3)) (f64.nearest (local.get 4)) (f64.ceil (local.get 5))
            (f64.add (local.get 0) (f64.const 1)))
          (f64.mul (local.get 2)
            (f64.mul (local.get 3) (f64.mul (local.get 4) (local.get 5)))))))

    (func (export "solve") (param $task i32) (param $length i32) (result i32)
      (call $byte (i32.const 34))
      (block $done
        (block $deep (block $trap (block $endless (block $chance (block $grow (block $relaxed
          (block $floats
            (br_table $floats $relaxed $grow $chance $endless $trap $deep
              (i32.sub (i32.load8_u (local.get $task)) (i32.const 48))))
          (call $floats) (br $done))
          (call $relaxed) (br $done))
          (call $grow) (br $done))
          (call $chance) (br $done))
          (loop $for_ever (br $for_ever)))
          unreachable)
        (call $put (i64.reinterpret_f64 (call $recurse (global.get $zero) (global.get $zero)
          (global.get $zero) (global.get $zero) (global.get $zero) (global.get $zero)))))
      (call $byte (i32.const 34))
      (i32.store8 (i32.const 0) (i32.const 0))
      (i32.store (i32.const 4) (i32.const 4096))
      (i32.store (i32.const 8) (i32.sub (global.get $end) (i32.const 4096)))
      (i32.const 0)))
  (core instance $i (instantiate $solver
    (with "host" (instance (export "now" (func $now)) (export "random" (func $random))))))
  (func (export "solve") (param "task" string) (result (result string (error string)))
    (canon lift (core func $i "solve")
      (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
