module picket.test/bench/identity

go 1.24
