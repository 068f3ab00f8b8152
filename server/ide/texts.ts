/**
 * What the server says to people beside diagnostics, in their language: titles of lenses and bars, and why something is refused.
 * Diagnostics, the actions that mend them and errors of the environment stay English, as compilers' do: they are what people search for.
 */

const english = {
  train: 'Train',
  trainRuns: 'Train {0} runs',
  resume: 'Resume at step {0} of {1}',
  fetch: 'Fetch {0}',
  weight: '{0} weight',
  weights: '{0} weights',
  cantTrain: "can't train: {0}",
  cantTrainWith: "can't train with {0}: {1}",
  cantResume: "can't resume: {0}",
  cantFetch: "can't fetch: {0}",
  untrusted: 'the workspace is not trusted',
  browser: 'training needs a machine, and this is a browser',
  unsaved: 'save the file first, for its runs are kept beside it',
  unsavedData: 'save the file first, in a folder on disk',
  error: 'an error to mend first: {0}',
  errors: '{0} errors to mend first: {1}',
  hasErrors: 'the file has errors',
  noFile: 'no file {0} can be read',
  noBlock: 'the file has no train block',
  noBlockCalled: 'no train block is called {0}: there are {1}',
  noRun: '{0}: expected a run of this workspace',
  noMachine: 'nothing can be trained here',
  sweepEnds: 'the sweep ends: {0}',
  failed: 'the server failed at this; its log says how',
  dataRead: 'the data is being read',
  checksums: 'Write checksums',
  fetching: 'Fetching data',
  searching: 'Searching for {0}',
  training: 'Training {0}',
  paused: 'paused',
  starting: 'starting',
  epoch: 'epoch {0}',
  step: 'step {0} of {1}',
  loss: 'loss {0}',
  unnamed: 'nothing here has a name to change',
  builtIn: '{0} is built in and keeps its name',
  isSetting: '{0} is a setting and keeps its name',
  ofData: '{0} is named by the data file and keeps its name',
  notFound: '{0} is in no file that is found and keeps its name',
  noName: 'expected a name of letters, digits and _, not starting with a digit',
  noDimension: 'expected a name that starts with an upper-case letter, as dimensions do',
  reserved: '{0} is a word of the language',
  taken: 'expected a new name, found {0}, which means something else in {1} already',
} as const;

export type TextKey = keyof typeof english;
export type Texts = Readonly<Record<TextKey, string>>;

const chinese: Texts = {
  train: '训练',
  trainRuns: '训练 {0} 次运行',
  resume: '从第 {0}/{1} 步继续',
  fetch: '获取 {0}',
  weight: '{0} 个权重',
  weights: '{0} 个权重',
  cantTrain: '无法训练：{0}',
  cantTrainWith: '无法以 {0} 训练：{1}',
  cantResume: '无法继续：{0}',
  cantFetch: '无法获取：{0}',
  untrusted: '此工作区未受信任',
  browser: '训练需要一台机器，而这里是浏览器',
  unsaved: '请先保存文件，运行会保存在它旁边',
  unsavedData: '请先将文件保存到磁盘上的文件夹中',
  error: '请先修正一个错误：{0}',
  errors: '请先修正 {0} 个错误：{1}',
  hasErrors: '文件有错误',
  noFile: '无法读取文件 {0}',
  noBlock: '此文件没有 train 块',
  noBlockCalled: '没有名为 {0} 的 train 块，现有：{1}',
  noRun: '{0}：应为此工作区的一次运行',
  noMachine: '这里无法训练',
  sweepEnds: '参数搜索结束：{0}',
  failed: '服务器在此处出错，详情见其日志',
  dataRead: '正在读取数据',
  checksums: '写入校验和',
  fetching: '正在获取数据',
  searching: '正在搜索 {0}',
  training: '正在训练 {0}',
  paused: '已暂停',
  starting: '正在启动',
  epoch: '第 {0} 轮',
  step: '第 {0}/{1} 步',
  loss: '损失 {0}',
  unnamed: '此处没有可更改的名称',
  builtIn: '{0} 是内置的，名称不可更改',
  isSetting: '{0} 是一项设置，名称不可更改',
  ofData: '{0} 由数据文件命名，名称不可更改',
  notFound: '找不到含有 {0} 的文件，名称不可更改',
  noName: '名称只能由字母、数字和 _ 组成，且不能以数字开头',
  noDimension: '维度的名称须以大写字母开头',
  reserved: '{0} 是语言的保留字',
  taken: '请换一个新名称：{0} 在 {1} 中已有其他含义',
};

/** By language; simplified Chinese is the one of `package.nls.zh-cn.json`. */
export const languages: Readonly<Record<string, Texts>> = { en: english, 'zh-cn': chinese };

/** A text with its values in place. */
export type Say = (key: TextKey, ...values: readonly (string | number)[]) => string;

/** In the language of an editor's locale (`zh-CN`), else in English. */
export function speak(locale: string | undefined): Say {
  const wanted = locale?.toLowerCase().replace(/^zh(-hans.*|-sg)?$/, 'zh-cn');
  const texts = (wanted !== undefined && Object.hasOwn(languages, wanted) && languages[wanted]) || english;
  return (key, ...values) => texts[key].replace(/\{(\d)\}/g, (_, at) => String(values[Number(at)]));
}

export const inEnglish: Say = speak('en');
