package traffic

import "testing"

func TestNumber(t *testing.T) {
	const prefix = "a020d024cf8eea58"
	blocks := map[string]int{}
	for _, n := range []int{1, 255, 256, 511, 512, 10_000, maxRequests} {
		id := TraceID(prefix, n)
		if got, ok := Number(prefix, id); len(id) != 32 || got != n || !ok {
			t.Errorf("the number of %s is %d, %v, want %d", id, got, ok, n)
		}
		if block := Block(prefix, n-n%256); id[:len(block)] != block {
			t.Errorf("%s does not begin with %s", id, block)
		} else if other, known := blocks[block]; known && other != n/256 {
			t.Errorf("%s is the beginning of two blocks", block)
		} else {
			blocks[block] = n / 256
		}
	}
	for _, id := range []string{"", prefix, prefix + "0000000000000000", prefix + "0000000100000000", TraceID("b020d024cf8eea58", 1), TraceID(prefix, 1) + "0"} {
		if n, ok := Number(prefix, id); ok {
			t.Errorf("%q is the id of request %d", id, n)
		}
	}
}
