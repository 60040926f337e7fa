/* SPDX-License-Identifier: MIT */
#include "schema.h"

void schema_write(struct out *o)
{
	out_text(o,
		 "{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"oneOf\":[{\"title\":\"Info\",\"type\":\"arra"
		 "y\",\"items\":{\"title\":\"InfoItem\",\"type\":\"object\",\"properties\":{\"field\":{\"$ref\":\"#/definition"
		 "s/field\"},\"processNum\":{\"$ref\":\"#/definitions/processNum\"},\"tags\":{\"$ref\":\"#/definitions/t"
		 "ags\"},\"value\":{\"$ref\":\"#/definitions/typedValue\"}},\"required\":[\"field\",\"processNum\",\"tags\""
		 ",\"value\"]}},{\"title\":\"Stat\",\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"title\":\"StatI"
		 "tem\",\"type\":\"object\",\"properties\":{\"objType\":{\"enum\":[\"Frontend\",\"Backend\",\"Listener\",\"Ser"
		 "ver\",\"Unknown\"]},\"proxyId\":{\"type\":\"integer\",\"minimum\":0},\"id\":{\"type\":\"integer\",\"minimum\""
		 ":0},\"field\":{\"$ref\":\"#/definitions/field\"},\"processNum\":{\"$ref\":\"#/definitions/processNum\""
		 "},\"tags\":{\"$ref\":\"#/definitions/tags\"},\"value\":{\"$ref\":\"#/definitions/typedValue\"}},\"requi"
		 "red\":[\"objType\",\"proxyId\",\"id\",\"field\",\"processNum\",\"tags\",\"value\"]}}},{\"title\":\"Error\",\"t"
		 "ype\":\"object\",\"properties\":{\"errorStr\":{\"type\":\"string\"}},\"required\":[\"errorStr\"]}],\"defin"
		 "itions\":{\"field\":{\"type\":\"object\",\"properties\":{\"pos\":{\"type\":\"integer\",\"minimum\":0},\"name"
		 "\":{\"type\":\"string\"}},\"required\":[\"pos\",\"name\"]},\"processNum\":{\"type\":\"integer\",\"minimum\":1"
		 "},\"tags\":{\"type\":\"object\",\"properties\":{\"origin\":{\"type\":\"string\",\"enum\":[\"Metric\",\"Status"
		 "\",\"Key\",\"Config\",\"Product\",\"Unknown\"]},\"nature\":{\"type\":\"string\",\"enum\":[\"Gauge\",\"Limit\",\""
		 "Min\",\"Max\",\"Rate\",\"Counter\",\"Duration\",\"Age\",\"Time\",\"Name\",\"Output\",\"Avg\",\"Unknown\"]},\"sco"
		 "pe\":{\"type\":\"string\",\"enum\":[\"Cluster\",\"Process\",\"Service\",\"System\",\"Unknown\"]}},\"required"
		 "\":[\"origin\",\"nature\",\"scope\"]},\"typedValue\":{\"oneOf\":[{\"$ref\":\"#/definitions/typedValue/de"
		 "finitions/s32Value\"},{\"$ref\":\"#/definitions/typedValue/definitions/s64Value\"},{\"$ref\":\"#/d"
		 "efinitions/typedValue/definitions/u32Value\"},{\"$ref\":\"#/definitions/typedValue/definitions"
		 "/u64Value\"},{\"$ref\":\"#/definitions/typedValue/definitions/strValue\"}],\"definitions\":{\"s32V"
		 "alue\":{\"title\":\"s32\",\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\",\"enum\":[\"s32\"]}"
		 ",\"value\":{\"type\":\"integer\",\"minimum\":-2147483648,\"maximum\":2147483647}},\"required\":[\"type\""
		 ",\"value\"]},\"s64Value\":{\"title\":\"s64\",\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\""
		 ",\"enum\":[\"s64\"]},\"value\":{\"type\":\"integer\",\"minimum\":-9007199254740991,\"maximum\":900719925"
		 "4740991}},\"required\":[\"type\",\"value\"]},\"u32Value\":{\"title\":\"u32\",\"type\":\"object\",\"properti"
		 "es\":{\"type\":{\"type\":\"string\",\"enum\":[\"u32\"]},\"value\":{\"type\":\"integer\",\"minimum\":0,\"maximu"
		 "m\":4294967295}},\"required\":[\"type\",\"value\"]},\"u64Value\":{\"title\":\"u64\",\"type\":\"object\",\"pr"
		 "operties\":{\"type\":{\"type\":\"string\",\"enum\":[\"u64\"]},\"value\":{\"type\":\"integer\",\"minimum\":0,\""
		 "maximum\":9007199254740991}},\"required\":[\"type\",\"value\"]},\"strValue\":{\"title\":\"str\",\"type\":"
		 "\"object\",\"properties\":{\"type\":{\"type\":\"string\",\"enum\":[\"str\"]},\"value\":{\"type\":\"string\"}},"
		 "\"required\":[\"type\",\"value\"]}}}}}");
}
