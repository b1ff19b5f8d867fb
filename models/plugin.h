/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Models from shared objects that somebody else built against the installed header.
 */
#ifndef UNSYNC_MODELS_PLUGIN_H
#define UNSYNC_MODELS_PLUGIN_H

#include "models/model.h"

#define UM_PLUGIN_SYMBOL "unsync_model"

/**
 * um_plugin_named() - does a name mean a plug-in?
 * @name: as the user wrote it
 *
 * Return: true if it holds a slash or ends in ".so"; other names are those of built-in models.
 */
bool um_plugin_named(const char *name);

/**
 * um_plugin_load() - the model of a plug-in, once it has been looked over
 * @path: of the shared object; without a slash it lies in the working directory
 * @error: a line for the user if it fails: the file, what is wrong with it, what to do
 * @error_len: bytes there
 *
 * First the object's one symbol is found and is as large as a model; then um_descriptor_check() must
 * find nothing. The object's own constructors do run before all that.
 *
 * Return: a model that stays loaded until the process ends, the same one for the same file; NULL if it
 * is refused, or if another model of that name was loaded or is built in.
 */
const struct um_model *um_plugin_load(const char *path, char *error, size_t error_len);

/**
 * um_plugin_path() - the file that a model came from, or NULL if it is built in
 */
const char *um_plugin_path(const struct um_model *model);

#endif
