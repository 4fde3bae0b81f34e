"""Where are the points of this face? (`landmark`)"""
