"""What the fuzzer runs inside an interpreter: modules with `run(data: bytes)`, which raises when something is wrong."""
