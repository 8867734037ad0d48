package cases

import "strings"

// nearest returns the known word that a misspelled one most likely means, or "" when none
// is near: more than a third of its letters would have to change.
func nearest(word string, known []string) string {
	best, least := "", 0
	for _, k := range known {
		d := distance(fold(word), fold(k))
		if limit := max(1, (len(k)+1)/3); d > limit {
			continue
		}
		if best == "" || d < least {
			best, least = k, d
		}
	}
	return best
}

// fold makes words equal that differ in case and in what separates their parts: compose_logs
// and compose-logs.
func fold(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// distance is Levenshtein's: the least number of letters to add, to drop or to change.
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	previous := make([]int, len(to)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range from {
		current := make([]int, len(to)+1)
		current[0] = i + 1
		for j := range to {
			changed := previous[j]
			if from[i] != to[j] {
				changed++
			}
			current[j+1] = min(changed, previous[j+1]+1, current[j]+1)
		}
		previous = current
	}
	return previous[len(to)]
}
