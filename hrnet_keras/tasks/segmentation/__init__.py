"""Which class does every pixel belong to? (`seg`)"""
