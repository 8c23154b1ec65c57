#include <sstream>

#include "internal.hpp"

using dnnl::memory;

static odn_layout *made(memory::desc desc) { return new odn_layout{std::move(desc)}; }

odn_layout *odn_layout_plain(int rank, const int64_t *extents) {
  return odn::guarded<odn_layout *>(nullptr, [&] {
    memory::dims dims(extents, extents + rank), strides(rank);
    int64_t stride = 1;
    for (int axis = rank - 1; axis >= 0; --axis) {
      strides[axis] = stride;
      stride *= dims[axis];
    }
    return made(memory::desc(dims, memory::data_type::f32, strides));
  });
}

odn_layout *odn_layout_any(int rank, const int64_t *extents) {
  return odn::guarded<odn_layout *>(nullptr, [&] {
    return made(memory::desc(
        memory::dims(extents, extents + rank), memory::data_type::f32, memory::format_tag::any));
  });
}

static memory::data_type type_of(odn_element element) {
  return element == ODN_BFLOAT16 ? memory::data_type::bf16 : memory::data_type::f32;
}

odn_element odn_layout_element(const odn_layout *layout) {
  return odn::type_of(layout->desc) == memory::data_type::bf16 ? ODN_BFLOAT16 : ODN_FLOAT32;
}

odn_layout *odn_layout_of_elements(const odn_layout *layout, odn_element element) {
  return odn::guarded<odn_layout *>(nullptr, [&]() -> odn_layout * {
#if DNNL_VERSION_MAJOR >= 3
    using tag = memory::format_tag;
    const auto extents = layout->desc.get_dims();
    const auto own = odn::type_of(layout->desc), wanted = type_of(element);
    if (layout->desc.get_format_kind() == memory::format_kind::any) return made(memory::desc(extents, wanted, tag::any));
    if (!odn_layout_is_blocked(layout)) {
      odn::fail("an opaque layout has elements of its own");
      return nullptr;
    }
    if (layout->desc.get_inner_nblks() == 0) return made(memory::desc(extents, wanted, layout->desc.get_strides()));
    // Blocks cannot be given by themselves, so the order is looked up among those that have a name.
    for (int order = dnnl_format_tag_any + 1; order < dnnl_format_tag_last; ++order) {
      const auto name = static_cast<dnnl_format_tag_t>(order);
      dnnl_memory_desc_t candidate = nullptr;
      if (dnnl_memory_desc_create_with_tag(
              &candidate, static_cast<int>(extents.size()), extents.data(), memory::convert_to_c(own), name) !=
          dnnl_success)
        continue;
      if (memory::desc(candidate) == layout->desc) return made(memory::desc(extents, wanted, static_cast<tag>(order)));
    }
    odn::fail("the layout has no name");
    return nullptr;
#else
    auto desc = layout->desc;
    desc.data.data_type = memory::convert_to_c(type_of(element));
    return made(desc);
#endif
  });
}

odn_layout *odn_layout_blocked_weights(const int64_t *extents, int block) {
  return odn::guarded<odn_layout *>(nullptr, [&] {
    const auto tag = block == 16 ? memory::format_tag::ABcd16b16a : memory::format_tag::ABcd8b8a;
    return made(memory::desc(memory::dims(extents, extents + 4), memory::data_type::f32, tag));
  });
}

static int rank_of(const odn_layout *layout) {
#if DNNL_VERSION_MAJOR >= 3
  return layout->desc.get_ndims();
#else
  return layout->desc.data.ndims;
#endif
}

odn_layout *odn_layout_part(const odn_layout *whole, const int64_t *extents, const int64_t *offsets) {
  return odn::guarded<odn_layout *>(nullptr, [&]() -> odn_layout * {
    int rank = rank_of(whole);
    auto part = whole->desc.submemory_desc(
        memory::dims(extents, extents + rank), memory::dims(offsets, offsets + rank), true);
    if (!part) {
      odn::fail("the layout has no such part");
      return nullptr;
    }
    return made(part);
  });
}

odn_layout *odn_layout_channel_blocks(const int64_t *extents, int channels) {
  return odn::guarded<odn_layout *>(nullptr, [&] {
    using tag = memory::format_tag;
    const auto order = channels == 16 ? tag::aBcd16b : channels == 8 ? tag::aBcd8b : tag::aBcd4b;
    return made(memory::desc(memory::dims(extents, extents + 4), memory::data_type::f32, order));
  });
}

odn_layout *odn_layout_resized(const odn_layout *layout, const int64_t *extents) {
  return odn::guarded<odn_layout *>(nullptr, [&]() -> odn_layout * {
    using tag = memory::format_tag;
    if (rank_of(layout) != 4) {
      odn::fail("only layouts of four axes are resized");
      return nullptr;
    }
#if DNNL_VERSION_MAJOR >= 3
    const auto own = layout->desc.get_dims();
#else
    const auto own = layout->desc.dims();
#endif
    const memory::dims wanted(extents, extents + 4);
    const auto type = odn::type_of(layout->desc);
    for (auto order : {tag::abcd, tag::acdb, tag::aBcd16b, tag::aBcd8b, tag::aBcd4b})
      if (layout->desc == memory::desc(own, type, order)) return made(memory::desc(wanted, type, order));
    odn::fail("the layout has no name");
    return nullptr;
  });
}

odn_layout *odn_layout_copy(const odn_layout *layout) { return new odn_layout(*layout); }

void odn_layout_free(odn_layout *layout) { delete layout; }

int odn_layout_equal(const odn_layout *a, const odn_layout *b) { return a->desc == b->desc; }

size_t odn_layout_bytes(const odn_layout *layout) { return layout->desc.get_size(); }

int odn_layout_is_blocked(const odn_layout *layout) {
#if DNNL_VERSION_MAJOR >= 3
  return layout->desc.get_format_kind() == memory::format_kind::blocked;
#else
  return layout->desc.data.format_kind == dnnl_blocked;
#endif
}

const char *odn_layout_text(const odn_layout *layout) {
  static thread_local std::string text;
  if (!odn_layout_is_blocked(layout)) return "opaque";
  const int rank = rank_of(layout);
#if DNNL_VERSION_MAJOR >= 3
  auto strides = layout->desc.get_strides();
  auto blocks = layout->desc.get_inner_blks();
  auto indices = layout->desc.get_inner_idxs();
  const int inner = layout->desc.get_inner_nblks();
#else
  const auto &blocking = layout->desc.data.format_desc.blocking;
  const auto &strides = blocking.strides;
  const auto &blocks = blocking.inner_blks;
  const auto &indices = blocking.inner_idxs;
  const int inner = blocking.inner_nblks;
#endif
  // Axes from the outermost to the innermost; a capital letter is an axis that is also cut into inner blocks.
  std::vector<int> order(rank);
  std::vector<bool> cut(rank, false);
  for (int axis = 0; axis < rank; ++axis) order[axis] = axis;
  for (int block = 0; block < inner; ++block) cut[indices[block]] = true;
  for (int i = 1; i < rank; ++i)
    for (int j = i; j > 0 && strides[order[j - 1]] < strides[order[j]]; --j) std::swap(order[j - 1], order[j]);
  std::ostringstream out;
  for (int axis : order) out << static_cast<char>((cut[axis] ? 'A' : 'a') + axis);
  for (int block = 0; block < inner; ++block) out << blocks[block] << static_cast<char>('a' + indices[block]);
  text = out.str();
  return text.c_str();
}
