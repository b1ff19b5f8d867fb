// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes a JSON document so that it stays one: a value becomes another, a member goes or comes or gets
 * another's name, a part stands somewhere else, too. Now and then, and where it is none, its bytes change.
 */
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A value and where it stands. */
struct place {
	json_t *parent; /* NULL: the document itself */
	const char *key;
	size_t index;
	json_t *value;
};

/* Goes through a document, and keeps one place that chance picks of all. */
struct pick {
	struct fuzz_chance *chance;
	struct place place;
	uint64_t seen;
};

static void offer(struct pick *p, json_t *parent, const char *key, size_t index, json_t *value)
{
	if (!fuzz_draw(p->chance, ++p->seen))
		p->place = (struct place){ parent, key, index, value };
}

/* jansson takes no document that is nested deeper than 2048. */
static void pick_below(struct pick *p, json_t *json)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(json)) {
		json_object_foreach(json, key, value) {
			offer(p, json, key, 0, value);
			pick_below(p, value);
		}
	} else if (json_is_array(json)) {
		json_array_foreach(json, i, value) {
			offer(p, json, NULL, i, value);
			pick_below(p, value);
		}
	}
}

static struct place pick(struct fuzz_chance *c, json_t *json)
{
	struct pick p = { .chance = c };

	pick_below(&p, json);
	return p.place;
}

static json_t *any_number(struct fuzz_chance *c)
{
	static const double reals[] = { 0.5, -0.0, 1e-320, 1e18, 1e300, -1.5, 1e9, 2.5e17 };
	static const json_int_t limits[] = { 0,
					     1,
					     -1,
					     2,
					     7,
					     64,
					     256,
					     1000,
					     4096,
					     65536,
					     1000000,
					     1000000000,
					     1000000000000000,
					     1000000000000001,
					     INT64_MAX,
					     INT64_MIN };

	if (!fuzz_draw(c, 3))
		return json_real(reals[fuzz_draw(c, sizeof(reals) / sizeof(reals[0]))]);
	return json_integer(limits[fuzz_draw(c, sizeof(limits) / sizeof(limits[0]))]);
}

/* Of the bytes of a text, or of none. NULL: it came out as no text. */
static json_t *any_text(struct fuzz_chance *c, const json_t *old)
{
	static const char *const texts[] = { "",     "a",   "all", "\x1b[31m", "a,b\"c'\\$`",
					     "null", "x\ny" };
	uint8_t bytes[300];
	size_t len = json_string_length(old);

	if (!json_is_string(old) || len > 200 || !fuzz_draw(c, 3))
		return json_string(texts[fuzz_draw(c, sizeof(texts) / sizeof(texts[0]))]);
	memcpy(bytes, json_string_value(old), len);
	len = LLVMFuzzerMutate(bytes, len, sizeof(bytes));
	return json_stringn((const char *)bytes, len);
}

static json_t *any_value(struct fuzz_chance *c, const json_t *old)
{
	switch (fuzz_draw(c, 10)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(fuzz_draw(c, 2));
	case 2:
		return json_object();
	case 3:
		return json_array();
	case 4:
		return json_is_number(old) ? any_text(c, old) : any_number(c);
	default:
		return json_is_string(old) ? any_text(c, old) : any_number(c);
	}
}

static void put(const struct place *at, json_t *value)
{
	if (at->key)
		json_object_set_new(at->parent, at->key, value);
	else if (at->parent)
		json_array_set_new(at->parent, at->index, value);
	else
		json_decref(value);
}

static void take_out(const struct place *at)
{
	if (at->key)
		json_object_del(at->parent, at->key);
	else
		json_array_remove(at->parent, at->index);
}

/* The value stands somewhere else, too. */
static void repeat(struct fuzz_chance *c, const struct place *at)
{
	json_t *old = at->key ? json_string(at->key) : NULL, *name = any_text(c, old);

	if (at->key && name)
		json_object_set_new(at->parent, json_string_value(name), json_deep_copy(at->value));
	else if (!at->key)
		json_array_insert_new(at->parent, at->index, json_deep_copy(at->value));
	json_decref(name);
	json_decref(old);
}

static void change(struct fuzz_chance *c, json_t *json)
{
	struct place at = pick(c, json), other;

	if (!at.parent)
		return;
	switch (fuzz_draw(c, 8)) {
	case 0:
		take_out(&at);
		break;
	case 1:
		repeat(c, &at);
		break;
	case 2:
		other = pick(c, json);
		put(&at, json_deep_copy(other.value));
		break;
	default:
		put(&at, any_value(c, at.value));
		break;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct fuzz_chance c = { seed };
	json_t *json = fuzz_draw(&c, 16) ? json_loadb((char *)data, size, 0, NULL) : NULL;
	char *text = NULL;
	size_t len;

	if (json) {
		for (uint64_t n = 1 + fuzz_draw(&c, 2); n; n--)
			change(&c, json);
		text = json_dumps(json, JSON_COMPACT);
	}
	len = text ? strlen(text) : 0;
	if (len && len <= max_size) {
		memcpy(data, text, len);
		size = len;
	} else {
		size = LLVMFuzzerMutate(data, size, max_size);
	}
	free(text);
	json_decref(json);
	return size;
}
