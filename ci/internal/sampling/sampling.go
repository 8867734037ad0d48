// Package sampling says which traces the lab keeps: all, or by tail sampling in Alloy those
// with an error, those that are slow, and a share of the others.
package sampling

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Traces says which traces are kept. The zero value keeps all.
type Traces struct {
	// Percent of the traces are kept by their ids, 0.01 to 100.
	Percent float64
	// Slow is how long a trace takes that is kept for it, in whole milliseconds.
	Slow time.Duration
	// Wait is how long after a trace's first span Alloy decides.
	Wait time.Duration
}

// The usual values of config/alloy/sampling/tail.alloy.
const (
	UsualSlow = 500 * time.Millisecond
	UsualWait = 10 * time.Second
)

// salt is the hash_salt of config/alloy/sampling/tail.alloy.
const salt = "lgtm-lab"

// Parse reads a share such as "10%"; "" keeps all traces.
func Parse(share string, slow time.Duration) (Traces, error) {
	if share == "" {
		return Traces{}, nil
	}
	number, hasSign := strings.CutSuffix(share, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil || !hasSign || !(percent >= 0.01 && percent <= 100) {
		return Traces{}, fmt.Errorf("a share of traces of %q: want 0.01%% to 100%%, such as 10%%", share)
	}
	if slow < time.Millisecond || slow%time.Millisecond != 0 {
		return Traces{}, errors.New("how long a slow trace takes: want whole milliseconds, such as 500ms")
	}
	return Traces{percent, slow, UsualWait}, nil
}

// All tells whether every trace is kept.
func (t Traces) All() bool { return t.Percent == 0 }

// Environment returns the variables that the configuration files read, as NAME=VALUE. Where
// Alloy samples, it makes the metrics that Tempo's generator makes otherwise.
func (t Traces) Environment() []string {
	if t.All() {
		return nil
	}
	return []string{
		"LAB_SAMPLING=tail", "LAB_SAMPLE_PERCENT=" + strconv.FormatFloat(t.Percent, 'f', -1, 64),
		"LAB_SAMPLE_SLOW_MS=" + strconv.FormatInt(t.Slow.Milliseconds(), 10), "LAB_SAMPLE_WAIT=" + t.Wait.String(),
		"LAB_TEMPO_PROCESSORS=[local-blocks]",
	}
}

// Keeps tells whether the trace with that id, 32 hexadecimal digits, is kept whatever is in
// it. It is what the policy "probabilistic" of the OpenTelemetry Collector's tail sampling
// processor computes: the id's FNV-1a hash after a salt, compared with the share of 2^64.
func (t Traces) Keeps(id string) bool {
	if t.All() {
		return true
	}
	raw, err := hex.DecodeString(id)
	if err != nil {
		return false
	}
	h := fnv.New64a()
	h.Write([]byte(salt))
	h.Write(raw)
	most := new(big.Float).SetUint64(math.MaxUint64)
	threshold, _ := most.Mul(most, big.NewFloat(t.Percent/100)).Uint64()
	return h.Sum64() <= threshold
}

// String says which traces are kept.
func (t Traces) String() string {
	if t.All() {
		return "all traces are kept"
	}
	return fmt.Sprintf("the lab keeps the traces with an error, those of %v or longer, and %s%% of the others by their ids", t.Slow, strconv.FormatFloat(t.Percent, 'f', -1, 64))
}
