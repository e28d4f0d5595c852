"""What notices a small fault: changes of the source, and the tests run on each."""
