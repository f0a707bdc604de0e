"""What all stages that compute with torch share: the choice of a device, frames on it, and how to run on it."""
