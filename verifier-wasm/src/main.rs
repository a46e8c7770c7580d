//! The worker's program: starts the message loop of [`verifier_wasm`].

fn main() {
    verifier_wasm::serve();
}
