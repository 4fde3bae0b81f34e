"""What landmark and pose are both made of: points and boxes, heat maps, and the way between them."""
