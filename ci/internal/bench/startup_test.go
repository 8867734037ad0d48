package bench

import (
	"strings"
	"testing"
)

const verifyReport = `{"schema_version":1,"kind":"checks","checks":[
 {"group":"trace","name":"joined","status":"pass","duration_seconds":1},
 {"group":"rules","name":"loaded","status":"fail","detail":"Mimir has another","duration_seconds":45},
 {"group":"panels","name":"Stack","status":"pass","duration_seconds":12}]}`

func TestVerifysReport(t *testing.T) {
	checks, err := readChecks([]byte(verifyReport))
	if err != nil {
		t.Fatal(err)
	}
	if rows := slowest(checks, 2); len(rows) != 2 || rows[0].Name != "the check rules, loaded" || rows[1].Median != 12 {
		t.Errorf("the slowest are %v", rows)
	}
	if errs := failed(checks); len(errs) != 1 || !strings.Contains(errs[0].Error(), "rules, loaded: Mimir has another") {
		t.Errorf("the failed checks are %v", errs)
	}
	if _, err := readChecks([]byte("lab: no lab")); err == nil {
		t.Error("a text that is no report is no error")
	}
}
