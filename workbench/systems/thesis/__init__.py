"""Das, thesis 2020: two-level fusion of cues (chapter 3), P-I3D and separable attention (chapter 4), the temporal and
the global model (chapter 5). VPN, section 4.5 there, has a room of its own."""
