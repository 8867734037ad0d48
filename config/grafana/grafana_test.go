package grafana

import (
	"strings"
	"testing"
)

// TestDatasources reads the committed file. This package must read every link in it,
// because `lab verify` follows only these.
func TestDatasources(t *testing.T) {
	sources, err := Datasources()
	if err != nil {
		t.Fatal(err)
	}
	byType := map[string]Datasource{}
	for _, s := range sources {
		byType[s.Type] = s
	}
	for kind, uid := range map[string]string{"prometheus": "mimir", "loki": "loki", "tempo": "tempo"} {
		if byType[kind].UID != uid {
			t.Errorf("the data source of the type %s is %q, want %q", kind, byType[kind].UID, uid)
		}
	}
	tempo := byType["tempo"].Links
	if n := strings.Count(string(datasources), "datasourceUid:"); n != 5 {
		t.Errorf("the file has %d links, and this test knows of 5: is the new one read?", n)
	}
	for link, got := range map[string][2]string{
		"log → trace":       {byType["loki"].Links.Derived[0].UID, byType["loki"].Links.Derived[0].Query},
		"exemplar → trace":  {byType["prometheus"].Links.Exemplars[0].UID, byType["prometheus"].Links.Exemplars[0].Name},
		"trace → logs":      {tempo.Logs.UID, tempo.Logs.Query},
		"trace → metrics":   {tempo.Metrics.UID, tempo.Metrics.Queries[0].Query},
		"service map":       {tempo.ServiceMap.UID, "-"},
		"the time of logs":  {tempo.Logs.From, tempo.Logs.To},
		"and of metrics":    {tempo.Metrics.From, tempo.Metrics.To},
		"the tag of logs":   {tempo.Logs.Tags[0].Attribute, tempo.Logs.Tags[0].Label},
		"the tag of traces": {tempo.Metrics.Tags[0].Attribute, tempo.Metrics.Tags[0].Label},
	} {
		if got[0] == "" || got[1] == "" {
			t.Errorf("%s was not read: %q", link, got)
		}
		if strings.Contains(got[1], "$$") {
			t.Errorf("%s: %q has a $$, which Grafana makes a $", link, got[1])
		}
	}
	if want := "${__value.raw}"; byType["loki"].Links.Derived[0].Query != want {
		t.Errorf("the derived field's query is %q, want %q", byType["loki"].Links.Derived[0].Query, want)
	}
	if !tempo.Logs.Custom {
		t.Error("the query of trace → logs is not used: Grafana's own would search the text of the lines, which has no id")
	}
}

func TestReadNothing(t *testing.T) {
	if _, err := read([]byte("datasources: {}")); err == nil || !strings.Contains(err.Error(), "lab.yaml") {
		t.Errorf("error %v, want one that names the file", err)
	}
}
