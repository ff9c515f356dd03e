"""Many actions in one long performance, one after another and side by side: what SynthADL-U shows."""
