"""What is in this picture? (`cls`)"""
