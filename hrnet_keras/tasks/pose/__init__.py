"""Where are the joints of this body? (`pose`)"""
