"""SAM 2 as a streaming masker: frames one by one, objects that come and go, memory that stays bounded."""
