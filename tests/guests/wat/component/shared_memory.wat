;; Waiting on shared memory would block the host's thread.
(component
  (core module $m
    (memory 1 1 shared)
    (func (export "solve")
      (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))))
