# Node-API for the cross build, where no cmake-js brings it: headers and an import library of the symbols, made to be
# loaded at the first call, so that the host program may have any name (native/windows/delay_load_hook.cc).
set(node_api ${PROJECT_SOURCE_DIR}/node_modules/node-api-headers)
find_program(DLLTOOL x86_64-w64-mingw32-dlltool REQUIRED)
set(import_library ${CMAKE_CURRENT_BINARY_DIR}/libnode_api_delay.a)
execute_process(
  COMMAND ${DLLTOOL} -d ${node_api}/def/node_api.def -D node.exe -y ${import_library}
  COMMAND_ERROR_IS_FATAL ANY)
set(CMAKE_JS_INC ${node_api}/include)
set(CMAKE_JS_LIB ${import_library})
set(CMAKE_JS_SRC "")
