"""From a scene to pixels: cameras, furnished rooms, ray casting, light, surfaces, frames."""
