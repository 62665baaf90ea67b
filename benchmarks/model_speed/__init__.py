"""Time and memory of the whole model, part by part, and beside Mask R-CNN."""
