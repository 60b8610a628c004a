"""Run programs that models wrote: in WebAssembly, in a process of its own."""
