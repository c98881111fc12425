import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const typescript = ['**/*.ts', '**/*.mts', '**/*.cts'];
const plainNode = {
  console: 'readonly',
  process: 'readonly',
  require: 'readonly',
  module: 'writable',
  __dirname: 'readonly',
};

// Tests and test/types are users of the built package: lint comes after a build.
export default tseslint.config(
  {
    ignores: ['.cache', 'build', 'build-*', 'dist', 'out', 'prebuilds', 'native/build', 'bench/native/build'],
  },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'object-shorthand': ['error', 'properties'],
      'no-promise-executor-return': 'error',
      'no-self-compare': 'error',
      'no-unmodified-loop-condition': 'error',
    },
  },
  {
    files: ['**/*.js', '**/*.cjs', '**/*.mjs'],
    languageOptions: { globals: plainNode },
  },
  { files: ['**/*.cjs'], languageOptions: { sourceType: 'commonjs' } },
  {
    files: typescript,
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-unmodified-loop-condition': 'off', // a handler may modify it
      '@typescript-eslint/ban-ts-comment': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // What a user's handler threw is passed on as it is.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true, allowRethrowing: true }],
      // A loop over a typed array that was sized a line above knows what it reads: noUncheckedIndexedAccess makes it say so.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // TypeScript keeps a narrowed `this.closed` across calls; our handlers close things in between.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Handlers are looked at (`handlers.drain === undefined`) before they are called, as methods.
      '@typescript-eslint/unbound-method': 'off',
      // A list of entries is typed by their base class; what comes back is cast to what was put in.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },
  {
    files: ['lib/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "BinaryExpression[operator='instanceof']",
          message: 'Objects of another realm (Jest, vm) are no instances: test `code`, `name` or a brand.',
        },
        {
          selector: "ExportNamedDeclaration > VariableDeclaration[kind='let']",
          message: 'Another bundle takes its first value (tools/bundle.cjs): export a function or an object.',
        },
        {
          selector: "ImportDeclaration[importKind='value'][source.value=/^node:/] > ImportDefaultSpecifier",
          message: 'The bundler would copy it, and so load whatever of it is lazy (T98): import names.',
        },
      ],
    },
  },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/only-throw-error': 'off', // handlers of users throw anything
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
    },
  },
  {
    files: ['test/types/*.cts'],
    rules: { '@typescript-eslint/no-require-imports': 'off' }, // a CommonJS user's way
  },
);
